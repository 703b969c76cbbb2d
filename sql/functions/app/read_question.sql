-- A query as it is answered.
--
--   p_query   {"metrics", "stores", "workspace", "timezone", …}, of good form; see Query in functions/core
--   p_label   what a message about it begins with

set role tally_owner;

create or replace function app.read_question(
  p_query jsonb, p_number integer, p_label text, p_stores uuid[]
) returns app.question
  language plpgsql stable set search_path = ''
as $$
begin
  return row(
    p_number, p_label,
    array(select m.key from jsonb_array_elements_text(p_query -> 'metrics') with ordinality as m(key, n) order by m.n),
    p_stores,
    p_query ->> 'granularity', p_query ->> 'week_start', p_query ->> 'timezone', p_query ->> 'currency',
    array(select g.name from jsonb_array_elements_text(p_query -> 'group_by') with ordinality as g(name, n) order by g.n),
    (p_query ->> 'filter')::jsonpath,
    array(select jsonb_array_elements_text(p_query -> 'filter_dimensions')),
    p_query ->> 'fill', p_query ->> 'cumulative', p_query ->> 'totals', p_query -> 'compare' <> 'null',
    p_query #>> '{top,n}', coalesce(p_query #>> '{top,other}', 'false'), p_query #>> '{top,by}',
    p_query #>> '{order_by,metric}', p_query #>> '{order_by,dimension}', p_query #>> '{order_by,direction}' = 'desc',
    p_query ->> 'limit', nullif(p_query -> 'after', 'null')
  )::app.question;
end
$$;

comment on function app.read_question(jsonb, integer, text, uuid[]) is 'A query as it is answered';
grant execute on function app.read_question(jsonb, integer, text, uuid[]) to tally_query;

reset role;
