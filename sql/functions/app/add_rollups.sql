-- A part of app.rebuild_store_rollups, for what is open: adds rollups that there are none of, from the events, and the first day
-- from the quarter hours besides that are closed.
--
--   p_hours_from, p_days_from  where the quarter hours and the days begin
--   p_to                       where both end; in old days of some zones that is within a quarter hour
--
-- Planned with the times as constants: else it would lock every partition there is.

set role tally_owner;

create or replace function app.add_rollups(
  p_org_id uuid, p_store_id uuid, p_timezone text, p_metric_key text, p_names text[], p_hours_from timestamptz,
  p_days_from timestamptz, p_to timestamptz
) returns void
  language plpgsql volatile set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
begin
  with alike as materialized (
    select
      coalesce(e.currency, '') as currency, e.dimensions,
      date_bin('15 minutes', e.recorded_at, '2000-01-01Z') as quarter_hour,
      (e.recorded_at at time zone p_timezone)::pg_catalog.date as day,
      count(*) as count, sum(e.value) as sum, min(e.value) as min, max(e.value) as max,
      max(array[extract(epoch from e.recorded_at), e.value]) as latest, max(e.recorded_at) as last_at
    from public.metric_events e
    where e.org_id = p_org_id and e.store_id = p_store_id and e.metric_key = p_metric_key
      and e.recorded_at >= p_hours_from and e.recorded_at < p_to + interval '15 minutes'
    group by 1, 2, 3, 4
  ),
  named as materialized (
    select
      a.*,
      (
        select coalesce(jsonb_object_agg(n.name, a.dimensions -> n.name), '{}')
        from unnest(p_names) as n(name)
        where a.dimensions ? n.name
      ) as rollup_dimensions
    from alike a
  ),
  day as materialized (
    select d.day, app.day_start(d.day, p_timezone) as start from (select distinct n.day from named n) as d
  ),
  part as (
    select
      b.grain, b.start, n.currency, n.rollup_dimensions as dimensions, n.count, n.sum, n.min, n.max, n.latest, n.last_at
    from named n
    join day d on d.day = n.day
    cross join lateral (values ('15m', n.quarter_hour), ('day', d.start)) as b(grain, start)
    where b.start >= case b.grain when 'day' then p_days_from else p_hours_from end and b.start < p_to
    union all
    select
      'day', p_days_from, r.currency, r.dimensions, r.count, r.sum, r.min, r.max,
      array[extract(epoch from r.last_at), r.last], r.last_at
    from public.metric_rollups r
    where r.org_id = p_org_id and r.store_id = p_store_id and r.metric_key = p_metric_key and r.grain = '15m'
      and r.bucket_start >= p_days_from and r.bucket_start < p_hours_from
  )
  insert into public.metric_rollups
    (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions, count, sum, min, max, last, last_at)
  select
    p_org_id, p_store_id, p_metric_key, p.grain, p.start, p.currency, p.dimensions,
    sum(p.count), sum(p.sum), min(p.min), max(p.max), (max(p.latest))[2], max(p.last_at)
  from part p
  group by p.grain, p.start, p.currency, p.dimensions;
end
$$;

comment on function app.add_rollups(uuid, uuid, text, text, text[], timestamptz, timestamptz, timestamptz) is
  'Adds the rollups of one metric of a store from its events';

reset role;
