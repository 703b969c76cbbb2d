-- What parts have in each bucket and in the whole range, money in the currency that is asked for.
--
-- Of equal numbers with more and fewer places the least and the greatest have the most, so that answers do not differ by which came
-- first.
--
-- Levels are added over stores and dimensions and never over time: of each the last value counts, in a bucket and in the whole
-- range.

set role tally_owner;

create or replace function app.amounts(p_questions app.question[], p_atoms app.atom[], p_factors app.factor[])
  returns app.amount[]
  language plpgsql stable set search_path = ''
  set plan_cache_mode = 'force_generic_plan' set enable_nestloop = off set enable_sort = off set jit = off
as $$
begin
  return array(
    with converted as materialized (
      select
        a.question, a.range, a.part, q.currency, a.group_key, a.bucket, a.level_key, a.count, a.sum * f.factor as sum,
        a.min * f.factor as min, a.max * f.factor as max,
        case when a.level_key is not null then array[a.latest[1], a.latest[2] * f.factor] end as latest,
        case when f.factor is null then a.day || ' ' || a.currency end as missing_rate
      from unnest(p_atoms) as a
      join unnest(p_questions) as q on q.number = a.question
      left join unnest(p_factors) as f on f.question = a.question and f.currency = a.currency and f.day = a.day
      where a.day is not null
    ),
    atom as materialized (
      select
        a.question, a.range, a.part, a.currency, a.group_key, a.bucket, a.level_key, a.count, a.sum, a.min, a.max, a.latest,
        null as missing_rate
      from unnest(p_atoms) as a
      where a.day is null
      union all
      select
        c.question, c.range, c.part, c.currency, c.group_key, c.bucket, c.level_key, sum(c.count), sum(c.sum),
        round(min(c.min), max(scale(c.min))), round(max(c.max), max(scale(c.max))), max(c.latest), min(c.missing_rate)
      from converted c
      group by 1, 2, 3, 4, 5, 6, 7
    ),
    level as materialized (
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
      a.question, a.range, a.part, a.currency, a.group_key, 0, sum(a.count), sum(a.sum),
      round(min(a.min), max(scale(a.min))), round(max(a.max), max(scale(a.max))), null
    )::app.amount
    from atom a
    where a.level_key is null
    group by a.question, a.range, a.part, a.currency, a.group_key
    union all
    select row(
      a.question, a.range, a.part, a.currency, a.group_key, a.bucket, sum(a.count), sum(a.latest[2]), null, null,
      min(a.missing_rate)
    )::app.amount
    from atom a
    where a.level_key is not null
    group by a.question, a.range, a.part, a.currency, a.group_key, a.bucket
    union all
    select row(
      l.question, l.range, l.part, l.currency, l.group_key, 0, sum(l.count), sum(l.latest[2]), null, null, null
    )::app.amount
    from level l
    group by l.question, l.range, l.part, l.currency, l.group_key
  );
end
$$;

comment on function app.amounts(app.question[], app.atom[], app.factor[]) is
  'What parts have in each bucket and in the whole range';
grant execute on function app.amounts(app.question[], app.atom[], app.factor[]) to tally_query;

reset role;
