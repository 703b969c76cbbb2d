-- The metrics of queries, and the parts with events that they are worked out from, not yet told where these come from
-- (app.sourced_parts). Parts are numbered by their place among those of a query, and in a program by their place in the metric.
--
-- Errors: TH005 unknown metric; TH006 what cannot be added over time is to be, or a definition cannot be worked out.

set role tally_owner;

create or replace function app.question_metrics(
  p_questions app.question[], out p_metrics app.question_metric[], out p_parts app.question_part[]
)
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_generic_plan' set jit = off
as $$
declare
  v_programs constant jsonb := app.metric_programs(p_questions);
begin
  with asked as materialized (
    select q.number as question, q.label, m.position::integer, m.key
    from unnest(p_questions) as q
    cross join lateral unnest(q.metrics) with ordinality as m(key, position)
  ),
  token as materialized (
    select p.key, t.token, t.n
    from jsonb_each(v_programs) as p(key, tokens)
    cross join lateral jsonb_array_elements_text(p.tokens) with ordinality as t(token, n)
  ),
  base as materialized (
    select t.key, t.token as base, row_number() over (partition by t.key order by min(t.n)) as place
    from token t
    where t.token ~ '^[a-z]'
    group by t.key, t.token
  ),
  program as materialized (
    select t.key, array_agg(coalesce('#' || b.place, t.token) order by t.n) as program
    from token t
    left join base b on b.key = t.key and b.base = t.token
    group by t.key
  ),
  definition as materialized (
    select d.key, d.unit, d.aggregation_method as method, d.metadata
    from app.metrics d
    where d.key = any (array(select b.base from base b union select p.key from program p))
  ),
  part as materialized (
    select
      a.question, b.base as key,
      row_number() over (partition by a.question order by min(array[a.position, b.place]))::integer as number
    from asked a
    join base b on b.key = a.key
    group by a.question, b.base
  ),
  worked_out as (
    select
      a.question, a.position, array_agg(p.number order by b.place) as parts,
      array_agg(case when d.method in ('sum', 'count', 'distinct') then 0 end order by b.place) as empty_parts,
      bool_or(d.unit = 'currency') and bool_or(d.unit <> 'currency') as is_mixed
    from asked a
    join base b on b.key = a.key
    join part p on p.question = a.question and p.key = b.base
    join definition d on d.key = b.base
    group by a.question, a.position
  )
  select
    (
      select array_agg(
        row(
          a.question, a.position, a.key, d.unit, d.method, p.program, w.parts, w.empty_parts, w.is_mixed, a.label
        )::app.question_metric order by a.question, a.position
      )
      from asked a
      join definition d on d.key = a.key
      join program p on p.key = a.key
      join worked_out w on w.question = a.question and w.position = a.position
    ),
    (
      select array_agg(
        row(
          p.question, p.number, p.key, d.method, d.unit = 'currency',
          array(select jsonb_array_elements_text(d.metadata -> 'rollup_dimensions')),
          d.metadata ->> 'distinct_dimension', d.metadata ->> 'percentile', null
        )::app.question_part order by p.question, p.number
      )
      from part p
      join definition d on d.key = p.key
    )
  into p_metrics, p_parts;
end
$$;

comment on function app.question_metrics(app.question[]) is 'The metrics of queries, and the parts with events that they are worked out from';
grant execute on function app.question_metrics(app.question[]) to tally_query;

reset role;
