-- The series of api.query_metrics, from rollups: the day grain where the days asked for are the store's own, the quarter
-- hours everywhere else. p_step null is one bucket over all.

set role tally_owner;

create or replace function app.metric_series(
  p_org_id uuid,
  p_metrics text[],
  p_stores uuid[],
  p_from timestamptz,
  p_to timestamptz,
  p_granularity text,
  p_first timestamp,
  p_step interval,
  p_zone text,
  p_totals boolean
) returns jsonb
  language sql stable set search_path = ''
as $$
  with metric as (
    select u.position, m.key, m.unit, m.aggregation_method
    from unnest(p_metrics) with ordinality as u(key, position)
    join app.metrics m on m.key = u.key
  ),
  -- Local starts of the buckets; the first may lie before p_from, and then stands for what there is of it. They go up to the
  -- local time of the last instant: one microsecond taken from the local time of p_to would not do, since where midnight is
  -- left out that is an hour into the day. Where the clock was put back since, there is the first one still.
  local_bucket as (
    select b.local_start, greatest(app.day_start(b.local_start::date, p_zone), p_from) as start
    from generate_series(
      p_first, greatest((p_to - interval '1 microsecond') at time zone p_zone, p_first), p_step
    ) as b(local_start)
    where p_step is not null
    union all
    select p_first, p_from where p_step is null
  ),
  -- Without the days that a zone left out altogether (Samoa, 30 December 2011), which would begin when the next one does.
  bucket as (
    select b.local_start, b.start
    from (select l.*, lead(l.start, 1, p_to) over (order by l.local_start) as next_start from local_bucket l) as b
    where b.start < b.next_start
  ),
  -- Days that lie in the store's own zone and begin and end with the range need a ninety-sixth of the rows.
  whole_days as (
    select p_from = app.day_start((p_from at time zone p_zone)::date, p_zone)
      and p_to = app.day_start((p_to at time zone p_zone)::date, p_zone) as answer
  ),
  store as materialized (
    select
      s.id,
      case when s.timezone = p_zone and (select answer from whole_days) then 'day' else '15m' end as grain
    from public.stores s
    where s.org_id = p_org_id and s.id = any (p_stores)
  ),
  summed as materialized (
    select
      r.metric_key,
      r.currency,
      case
        when p_step is null then p_first
        else date_trunc(p_granularity, r.bucket_start at time zone p_zone)
      end as local_start,
      sum(r.sum) as sum, sum(r.count) as count, min(r.min) as min, max(r.max) as max
    from store s
    join public.metric_rollups r on r.org_id = p_org_id and r.store_id = s.id and r.grain = s.grain
    where r.metric_key = any (p_metrics) and r.bucket_start >= p_from and r.bucket_start < p_to
    group by 1, 2, 3
  ),
  -- A series for each currency there is, and one without values for a metric that has none.
  series as (
    select m.*, c.currency
    from metric m
    left join (select distinct metric_key, currency from summed) c on c.metric_key = m.key
  ),
  point as (
    select
      s.position, s.currency, b.start,
      app.aggregate(s.aggregation_method, p.sum, p.count, p.min, p.max) as value
    from series s
    cross join bucket b
    left join summed p on p.metric_key = s.key and p.currency = s.currency and p.local_start = b.local_start
    -- Asked once, before the first point is made.
    where (select app.may_answer((select count(*) from series) * (select count(*) from bucket)))
  ),
  points as (
    select
      p.position, p.currency,
      jsonb_agg(
        jsonb_build_object('start', app.iso_instant(p.start, p_zone), 'value', p.value::text) order by p.start
      ) as points
    from point p
    group by p.position, p.currency
  ),
  total as (
    select
      s.position, s.currency,
      app.aggregate(s.aggregation_method, sum(p.sum), sum(p.count), min(p.min), max(p.max)) as value
    from series s
    left join summed p on p.metric_key = s.key and p.currency = s.currency
    group by s.position, s.currency, s.aggregation_method
  )
  select coalesce(
    jsonb_agg(
      jsonb_build_object(
        'metric', s.key, 'unit', s.unit, 'currency', nullif(s.currency, ''), 'group', '{}'::jsonb, 'points', p.points
      ) || case when p_totals then jsonb_build_object('total', t.value::text) else '{}' end
      order by s.position, s.currency
    ),
    '[]'
  )
  from series s
  join points p on p.position = s.position and p.currency is not distinct from s.currency
  join total t on t.position = s.position and t.currency is not distinct from s.currency
$$;

comment on function
  app.metric_series(uuid, text[], uuid[], timestamptz, timestamptz, text, timestamp, interval, text, boolean) is
  'The series of api.query_metrics';
grant execute on function
  app.metric_series(uuid, text[], uuid[], timestamptz, timestamptz, text, timestamp, interval, text, boolean)
  to tally_query;

reset role;
