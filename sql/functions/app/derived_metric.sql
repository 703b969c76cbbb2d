-- A ratio or a formula of a query, and the parts that it is worked out from.
--
--   p_bases   the metrics with events that its program names, in the order of their first appearance
--   p_keys    those of the whole query, by whose places its parts are told

set role tally_owner;

create or replace function app.derived_metric(
  p_question integer,
  p_position integer,
  p_key text,
  p_unit text,
  p_method text,
  p_program text[],
  p_bases text[],
  p_keys text[]
) returns app.question_metric
  language plpgsql stable set search_path = ''
as $$
declare
  v_metric app.question_metric;
begin
  select
    p_question, p_position, p_key, p_unit, p_method,
    array(
      select coalesce('#' || array_position(p_bases, t.token), t.token)
      from unnest(p_program) with ordinality as t(token, n)
      order by t.n
    ),
    array_agg(array_position(p_keys, b.key) order by b.n),
    array_agg(case when d.aggregation_method in ('sum', 'count', 'distinct') then 0 end order by b.n),
    bool_or(d.unit = 'currency') and bool_or(d.unit <> 'currency')
  into v_metric
  from unnest(p_bases) with ordinality as b(key, n)
  join app.metrics d on d.key = b.key;
  return v_metric;
end
$$;

comment on function app.derived_metric(integer, integer, text, text, text, text[], text[], text[]) is
  'A ratio or a formula of a query, and the parts that it is worked out from';
grant execute on function app.derived_metric(integer, integer, text, text, text, text[], text[], text[]) to tally_query;

reset role;
