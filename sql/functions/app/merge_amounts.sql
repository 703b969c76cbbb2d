-- The amounts of the groups that are answered: those of all the others as one, the group null, where that is asked for.
--
-- Different values and percentiles are not to be put together: see app.event_amounts.

set role tally_owner;

create or replace function app.merge_amounts(p_parts app.question_part[], p_amounts app.amount[], p_groups app.question_group[]) returns app.amount[]
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_generic_plan' set enable_nestloop = off set enable_sort = off set jit = off
as $$
begin
  return array(
    with answered as materialized (
      select g.question, g.group_key from unnest(p_groups) as g
    ),
    part as materialized (
      select p.question, p.number from unnest(p_parts) as p where p.method not in ('distinct', 'percentile')
    )
    select a
    from unnest(p_amounts) as a
    join answered g on g.question = a.question and g.group_key = a.group_key
    union all
    select row(
      a.question, a.range, a.part, a.currency, 'null'::jsonb, a.bucket, sum(a.count), sum(a.sum), min(a.min), max(a.max), null
    )::app.amount
    from unnest(p_amounts) as a
    join answered r on r.question = a.question and r.group_key = 'null'
    join part p on p.question = a.question and p.number = a.part
    left join answered g on g.question = a.question and g.group_key = a.group_key
    where g.question is null
    group by a.question, a.range, a.part, a.currency, a.bucket
  );
end
$$;

comment on function app.merge_amounts(app.question_part[], app.amount[], app.question_group[]) is 'The amounts of the groups that are answered';
grant execute on function app.merge_amounts(app.question_part[], app.amount[], app.question_group[]) to tally_query;

reset role;
