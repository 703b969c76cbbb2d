-- Queries as they are answered, their stores not yet looked up.
--
--   p_queries   [{"metrics", "stores", "workspace", "timezone", …}], of good form; see Query in functions/core
--
-- Of several, a message about one begins with its label.

set role tally_owner;

create or replace function app.asked_questions(p_queries jsonb) returns app.question[]
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_generic_plan' set jit = off
as $$
begin
  return array(
    select row(
      q.n, case when jsonb_array_length(p_queries) > 1 then format('queries[%s]: ', q.n - 1) else '' end,
      array(select m.key from jsonb_array_elements_text(q.query -> 'metrics') with ordinality as m(key, n) order by m.n),
      null,
      q.query ->> 'granularity', q.query ->> 'week_start', q.query ->> 'timezone', q.query ->> 'currency',
      array(select g.name from jsonb_array_elements_text(q.query -> 'group_by') with ordinality as g(name, n) order by g.n),
      (q.query ->> 'filter')::jsonpath,
      array(select jsonb_array_elements_text(q.query -> 'filter_dimensions')),
      q.query ->> 'fill', q.query ->> 'cumulative', q.query ->> 'totals', q.query -> 'compare' <> 'null',
      q.query #>> '{top,n}', coalesce(q.query #>> '{top,other}', 'false'), q.query #>> '{top,by}',
      q.query #>> '{order_by,metric}', q.query #>> '{order_by,dimension}', q.query #>> '{order_by,direction}' = 'desc',
      q.query ->> 'limit', nullif(q.query -> 'after', 'null')
    )::app.question
    from jsonb_array_elements(p_queries) with ordinality as q(query, n)
    order by q.n
  );
end
$$;

comment on function app.asked_questions(jsonb) is 'Queries as they are answered, their stores not yet looked up';
grant execute on function app.asked_questions(jsonb) to tally_query;

reset role;
