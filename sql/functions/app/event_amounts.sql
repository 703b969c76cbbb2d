-- Different values and percentiles of each bucket and group and of the whole range, from events.
--
--   p_groups   null, or the groups that are answered by themselves: then the amounts of all the others as one, the group null
--
-- Planned anew each time, with the range as constants: else it would lock every partition there is.

set role tally_owner;

create or replace function app.event_amounts(
  p_questions app.question[],
  p_ranges app.question_range[],
  p_parts app.question_part[],
  p_factors app.factor[],
  p_groups app.question_group[] default null
) returns app.amount[]
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_custom_plan' set enable_nestloop = off set jit = off
as $$
declare
  v_org_id constant uuid := app.org_id();
  v_from constant timestamptz := (select min(r.starts_at) from unnest(p_ranges) as r);
  v_to constant timestamptz := (select max(r.ends_at) from unnest(p_ranges) as r);
  v_amounts app.amount[];
begin
  with question as materialized (
    select q.* from unnest(p_questions) as q where p_groups is null or q.has_other
  ),
  range as materialized (
    select r.* from unnest(p_ranges) as r join question q on q.number = r.question
  ),
  factor as materialized (
    select f.* from unnest(p_factors) as f
  ),
  answered as materialized (
    select a.question, a.group_key from unnest(p_groups) as a
  ),
  stretch as materialized (
    select
      p.question, p.number as part, p.key, p.distinct_dimension, p.fraction, s.id as store_id, s.timezone,
      r.range, r.starts_at, r.ends_at, q.filter, q.group_by,
      case when p.is_money then q.currency end as target
    from unnest(p_parts) as p
    join question q on q.number = p.question
    join range r on r.question = p.question
    cross join lateral unnest(q.stores) as u(id)
    join public.stores s on s.org_id = v_org_id and s.id = u.id
    where p.method in ('distinct', 'percentile')
  ),
  found as (
    select
      t.question, t.range, t.part, t.fraction, coalesce(x.target, e.currency, '') as currency,
      case cardinality(t.group_by)
          when 0 then '[]'::jsonb
          when 1 then jsonb_build_array(k.first)
          when 2 then jsonb_build_array(k.first, k.second)
          else jsonb_build_array(k.first, k.second, k.third)
        end as group_key,
      e.recorded_at as at, e.dimensions -> t.distinct_dimension as different,
      case when x.target is null then e.value else e.value * f.factor end as value,
      x.day || ' ' || e.currency as rate
    from stretch t
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
        case when e.currency is not null then t.target end as target,
        case when e.currency is not null and t.target is not null then (e.recorded_at at time zone t.timezone)::date end as day
    ) as x
    left join factor f on f.question = t.question and f.currency = e.currency and f.day = x.day
    where t.filter is null or e.dimensions @@ t.filter
  ),
  summed as (
    select
      f.question, f.range, f.part, f.currency, f.group_key, coalesce(b.number, 0) as bucket, count(*) as count,
      case when f.fraction is null then count(distinct f.different)
      else (array_agg(f.value order by f.value, scale(f.value)))[ceil(f.fraction * count(*))::integer] end as value,
      min(f.rate) filter (where f.value is null) as missing_rate
    from (
      select f.question, f.range, f.part, f.fraction, f.currency, f.at, f.different, f.value, f.rate,
        case when p_groups is null then f.group_key else 'null' end as group_key
      from found f
      where p_groups is null
        or not exists (select from answered a where a.question = f.question and a.group_key = f.group_key)
    ) as f
    join range g on g.question = f.question and g.range = f.range
    cross join lateral (select width_bucket(f.at, g.starts) as number) as b
    group by grouping sets (
      (f.question, f.range, f.part, f.fraction, f.currency, f.group_key, b.number),
      (f.question, f.range, f.part, f.fraction, f.currency, f.group_key)
    )
  )
  select array_agg(row(
    s.question, s.range, s.part, s.currency, s.group_key, s.bucket, s.count, s.value, null, null, s.missing_rate
  )::app.amount)
  into v_amounts
  from summed s;
  return coalesce(v_amounts, '{}');
end
$$;

comment on function app.event_amounts(app.question[], app.question_range[], app.question_part[], app.factor[], app.question_group[]) is 'Different values and percentiles of each bucket and group and of the whole range, from events';
grant execute on function app.event_amounts(app.question[], app.question_range[], app.question_part[], app.factor[], app.question_group[]) to tally_query;

reset role;
