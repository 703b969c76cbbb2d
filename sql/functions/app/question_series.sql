-- The series of metrics in groups, in their order: one for each currency that the money of a metric has in a group, or in the one that is asked for.
--
-- A plain number cannot be told apart by currency: together with money of several, or where it was money once and has
-- currencies still, a series is void.

set role tally_owner;

create or replace function app.question_series(
  p_questions app.question[],
  p_metrics app.question_metric[],
  p_parts app.question_part[],
  p_amounts app.atom[],
  p_groups app.question_group[]
) returns app.series[]
  language plpgsql stable set search_path = ''
  set plan_cache_mode = 'force_generic_plan' set enable_nestloop = off set enable_sort = off set jit = off
as $$
begin
  return array(
    with metric as materialized (
      select
        m.question, m.position, m.parts, m.is_mixed,
        case when exists (
          select from unnest(p_parts) as p where p.question = m.question and p.number = any (m.parts) and p.is_money
        ) then q.currency end as target
      from unnest(p_metrics) as m
      join unnest(p_questions) as q on q.number = m.question
    ),
    found as materialized (
      select distinct
        m.question, m.position, a.group_key, a.currency, p.is_money or cardinality(m.parts) = 1 as is_told_apart
      from metric m
      cross join lateral unnest(m.parts) as u(part)
      join unnest(p_parts) as p on p.question = m.question and p.number = u.part
      join (select distinct a.question, a.part, a.group_key, a.currency from unnest(p_amounts) as a) as a
        on a.question = m.question and a.part = u.part
    ),
    currency as materialized (
      select f.question, f.position, f.group_key, f.currency, count(*) over (partition by f.question, f.position, f.group_key) as several
      from found f
      where f.is_told_apart
    ),
    lost as materialized (
      select distinct f.question, f.position, f.group_key from found f where not f.is_told_apart and f.currency <> ''
    )
    select row(
      row_number() over (order by m.question, m.position, g.rank, g.group_key, t.currency collate "C"),
      m.question, m.position, g.group_key, t.currency, m.is_mixed and coalesce(c.several, 0) > 1 or l.question is not null
    )::app.series
    from metric m
    join unnest(p_groups) as g on g.question = m.question
    left join currency c on c.question = m.question and c.position = m.position and c.group_key = g.group_key
    left join lost l on l.question = m.question and l.position = m.position and l.group_key = g.group_key
    cross join lateral (select coalesce(c.currency, m.target, '') as currency) as t
  );
end
$$;

comment on function app.question_series(
  app.question[], app.question_metric[], app.question_part[], app.atom[], app.question_group[]
) is 'The series of metrics in groups';
grant execute on function app.question_series(
  app.question[], app.question_metric[], app.question_part[], app.atom[], app.question_group[]
) to tally_query;

reset role;
