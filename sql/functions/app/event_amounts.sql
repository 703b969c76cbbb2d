-- Different values and percentiles of each bucket and group and of the whole range, so many at most, from events.
--
--   p_groups   null, or the groups that are answered by themselves: then the amounts of all the others as one, the group null
--
-- Planned anew each time, with the range as constants: else it would lock every partition there is.

set role tally_owner;

create or replace function app.event_amounts(
  p_stretches app.stretch[],
  p_ranges app.question_range[],
  p_factors app.factor[],
  p_limit integer,
  p_groups app.question_group[] default null
) returns app.atom[]
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_custom_plan' set enable_nestloop = off set jit = off
as $$
declare
  v_org_id constant uuid := app.org_id();
  v_from constant timestamptz := (select min(s.starts_at) from unnest(p_stretches) as s where s.method in ('distinct', 'percentile'));
  v_to constant timestamptz := (select max(s.ends_at) from unnest(p_stretches) as s where s.method in ('distinct', 'percentile'));
  v_amounts app.atom[];
begin
  with answered as materialized (
    select g.question, g.group_key from unnest(p_groups) as g
  ),
  found as (
    select
      t.question, t.range, t.part, t.fraction, coalesce(x.target, e.currency, '') as currency,
      case cardinality(t.group_by)
        when 0 then '[]'
        when 1 then jsonb_build_array(k.first)
        when 2 then jsonb_build_array(k.first, k.second)
        else jsonb_build_array(k.first, k.second, k.third)
      end as group_key,
      e.recorded_at as at, e.dimensions -> t.distinct_dimension as different,
      case when x.target is null then e.value else e.value * f.factor end as value
    from unnest(p_stretches) as t
    cross join lateral (
      select e.*
      from public.metric_events e
      where e.org_id = v_org_id and e.store_id = t.store_id and e.metric_key = t.key
        and e.recorded_at >= v_from and e.recorded_at < v_to
        and e.recorded_at >= t.starts_at and e.recorded_at < t.ends_at
      offset 0
    ) as e
    cross join lateral (
      select
        case t.group_by[1] when 'store' then to_jsonb(t.store_id) else e.dimensions -> t.group_by[1] end as first,
        case t.group_by[2] when 'store' then to_jsonb(t.store_id) else e.dimensions -> t.group_by[2] end as second,
        case t.group_by[3] when 'store' then to_jsonb(t.store_id) else e.dimensions -> t.group_by[3] end as third
    ) as k
    cross join lateral (
      select
        case when e.currency is not null then t.currency end as target,
        case when e.currency is not null and t.currency is not null then (e.recorded_at at time zone t.timezone)::date end as day
    ) as x
    left join unnest(p_factors) as f on f.question = t.question and f.currency = e.currency and f.day = x.day
    where t.method in ('distinct', 'percentile') and (t.filter is null or e.dimensions @@ t.filter)
      and (p_groups is null or t.question in (select a.question from answered a where a.group_key = 'null'))
  ),
  summed as (
    select
      f.question, f.range, f.part, f.currency, f.group_key, coalesce(b.number, 0) as bucket, count(*) as count,
      case when f.fraction is null then count(distinct f.different)
      else (array_agg(f.value order by f.value, scale(f.value)))[ceil(f.fraction * count(*))::integer] end as value
    from (
      select f.question, f.range, f.part, f.fraction, f.currency, f.at, f.different, f.value,
        case when p_groups is null then f.group_key else 'null' end as group_key
      from found f
      where p_groups is null
        or not exists (select from answered a where a.question = f.question and a.group_key = f.group_key)
    ) as f
    join unnest(p_ranges) as g on g.question = f.question and g.range = f.range
    cross join lateral (select width_bucket(f.at, g.starts) as number) as b
    group by grouping sets (
      (f.question, f.range, f.part, f.fraction, f.currency, f.group_key, b.number),
      (f.question, f.range, f.part, f.fraction, f.currency, f.group_key)
    )
  )
  select array(
    select row(
      s.question, s.range, s.part, s.currency, null, s.group_key, s.bucket, null, s.count, s.value, null, null, null
    )::app.atom
    from summed s
    limit p_limit
  ) into v_amounts;
  return v_amounts;
end
$$;

comment on function app.event_amounts(app.stretch[], app.question_range[], app.factor[], integer, app.question_group[]) is
  'Different values and percentiles of each bucket and group and of the whole range, from events';
grant execute on function app.event_amounts(app.stretch[], app.question_range[], app.factor[], integer, app.question_group[]) to tally_query;

reset role;
