-- The definitions that the organization of the request can use, or the one of a key, as the API shows them.

set role tally_owner;

create or replace function app.metric_documents(p_key text default null)
  returns table (category text, key text, document jsonb)
  language sql stable set search_path = ''
as $$
  select
    m.category, m.key,
    jsonb_build_object(
      'key', m.key,
      'display_name', m.display_name,
      'description', m.description,
      'unit', m.unit,
      'aggregation_method', m.aggregation_method,
      'category', m.category,
      'source', m.source,
      'dimensions', coalesce(m.metadata -> 'rollup_dimensions', '[]'),
      'standard', m.org_id is null,
      'rebuilding', m.key in (select r.metric_key from app.rollup_rebuilds r)
    ) || case m.aggregation_method
      when 'ratio' then
        jsonb_build_object('numerator', m.metadata -> 'numerator', 'denominator', m.metadata -> 'denominator')
      when 'formula' then jsonb_build_object('formula', m.metadata -> 'formula')
      when 'distinct' then jsonb_build_object('distinct_dimension', m.metadata -> 'distinct_dimension')
      when 'percentile' then jsonb_build_object('percentile', m.metadata -> 'percentile')
      else '{}'
    end
  from app.metrics m
  where p_key is null or m.key = p_key
$$;

comment on function app.metric_documents(text) is 'Definitions as the API shows them';
grant execute on function app.metric_documents(text) to tally_query;

reset role;
