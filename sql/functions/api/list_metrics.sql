-- GET /v1/metrics: the definitions that the organization can use.
--
-- Errors: TH001, TH002 from app.assume_authority; TH003 not allowed to read.

set role tally_owner;

create or replace function api.list_metrics(p_authority text) returns text
  language plpgsql volatile set search_path = ''
as $$
begin
  perform app.assume_authority(p_authority);
  if not app.may_read_metrics() then
    raise exception using errcode = 'TH003', message = 'the role may not read metrics';
  end if;

  return (
    select jsonb_build_object('metrics', coalesce(
      jsonb_agg(
        jsonb_build_object(
          'key', m.key,
          'display_name', m.display_name,
          'description', m.description,
          'unit', m.unit,
          'aggregation_method', m.aggregation_method,
          'category', m.category,
          'source', m.source,
          'dimensions', coalesce(m.metadata -> 'rollup_dimensions', '[]'),
          'standard', m.org_id is null
        ) || case
          when m.aggregation_method = 'ratio'
          then jsonb_build_object('numerator', m.metadata -> 'numerator', 'denominator', m.metadata -> 'denominator')
          else '{}'
        end
        order by m.category, m.key
      ),
      '[]'
    ))::text
    from app.metrics m
  );
end
$$;

comment on function api.list_metrics(text) is 'GET /v1/metrics';
grant execute on function api.list_metrics(text) to tally_query;

reset role;
