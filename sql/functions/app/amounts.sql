-- What parts have in each bucket and in the whole range.
--
-- Levels are added over stores and dimensions and never over time: of the whole range the last value of each counts.

set role tally_owner;

create or replace function app.amounts(p_atoms app.atom[]) returns app.amount[]
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_generic_plan' set jit = off
as $$
begin
  return array(
    with atom as materialized (
      select a.* from unnest(p_atoms) as a
    ),
    last as materialized (
      select a.question, a.range, a.part, a.currency, a.group_key, a.level_key, max(a.latest) as latest, sum(a.count) as count
      from atom a
      where a.level_key is not null
      group by 1, 2, 3, 4, 5, 6
    )
    select row(
      a.question, a.range, a.part, a.currency, a.group_key, a.bucket, a.count, a.sum, a.min, a.max, a.missing_rate
    )::app.amount
    from atom a
    where a.level_key is null
    union all
    select row(
      a.question, a.range, a.part, a.currency, a.group_key, 0, sum(a.count), sum(a.sum), min(a.min), max(a.max), min(a.missing_rate)
    )::app.amount
    from atom a
    where a.level_key is null
    group by a.question, a.range, a.part, a.currency, a.group_key
    union all
    select row(
      a.question, a.range, a.part, a.currency, a.group_key, a.bucket, sum(a.count), sum(a.latest[2]), null, null, min(a.missing_rate)
    )::app.amount
    from atom a
    where a.level_key is not null
    group by a.question, a.range, a.part, a.currency, a.group_key, a.bucket
    union all
    select row(
      l.question, l.range, l.part, l.currency, l.group_key, 0, sum(l.count), sum(l.latest[2]), null, null, null
    )::app.amount
    from last l
    group by l.question, l.range, l.part, l.currency, l.group_key
  );
end
$$;

comment on function app.amounts(app.atom[]) is 'What parts have in each bucket and in the whole range';
grant execute on function app.amounts(app.atom[]) to tally_query;

reset role;
