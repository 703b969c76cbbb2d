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
  with definition as materialized (
    select m.key, m.unit, m.aggregation_method, m.metadata from app.metrics m
  ),
  -- What is asked for. A metric that is no ratio is its own numerator, over nothing.
  metric as (
    select
      u.position, m.key, m.unit,
      n.key as numerator, n.aggregation_method as numerator_method, n.unit = 'currency' as numerator_is_money,
      d.key as denominator, d.aggregation_method as denominator_method, d.unit = 'currency' as denominator_is_money
    from unnest(p_metrics) with ordinality as u(key, position)
    join definition m on m.key = u.key
    join definition n on n.key = coalesce(m.metadata ->> 'numerator', m.key)
    left join definition d on d.key = m.metadata ->> 'denominator'
  ),
  part as (
    select numerator as key, numerator_method as method from metric
    union
    select denominator, denominator_method from metric where denominator is not null
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
    where r.metric_key = any (array(select key from part where method <> 'last'))
      and r.bucket_start >= p_from and r.bucket_start < p_to
    group by 1, 2, 3
  ),
  -- Of stocks the greatest pair of time and value of each bucket, store and dimensions: the last value, and of several at
  -- one instant the largest.
  latest as materialized (
    select
      r.metric_key,
      r.currency,
      case
        when p_step is null then p_first
        else date_trunc(p_granularity, r.bucket_start at time zone p_zone)
      end as local_start,
      s.id as store_id, r.dimensions,
      max(array[extract(epoch from r.last_at), r.last]) as last
    from store s
    join public.metric_rollups r on r.org_id = p_org_id and r.store_id = s.id and r.grain = s.grain
    where r.metric_key = any (array(select key from part where method = 'last'))
      and r.bucket_start >= p_from and r.bucket_start < p_to
    group by 1, 2, 3, 4, 5
  ),
  -- The parts of each bucket, and those of the whole range as a bucket that starts at infinity. Levels are added over stores
  -- and dimensions and never over time.
  amount as materialized (
    select metric_key, currency, local_start, sum, count, min, max from summed
    union all
    select metric_key, currency, 'infinity', sum(sum), sum(count), min(min), max(max) from summed group by 1, 2
    union all
    select metric_key, currency, local_start, sum(last[2]), null, null, null from latest group by 1, 2, 3
    union all
    select t.metric_key, t.currency, 'infinity', sum(t.last[2]), null, null, null
    from (
      select metric_key, currency, max(last) as last from latest group by metric_key, currency, store_id, dimensions
    ) as t
    group by 1, 2
  ),
  found as (
    select metric_key, currency from amount where local_start = 'infinity'
  ),
  -- A series for each currency there is of the metric, or of the sides of a ratio that are money, and one without values where
  -- there is none. A plain number cannot be told apart by currency, so that over or under several there is no quotient; nor
  -- where it was money once and has currencies still.
  series as (
    select
      m.*, c.currency,
      case when m.denominator is null or m.numerator_is_money then c.currency else '' end as numerator_currency,
      case when m.denominator_is_money then c.currency else '' end as denominator_currency,
      (m.numerator_is_money = m.denominator_is_money or count(*) over (partition by m.position) = 1)
        and not exists (
          select from found f
          where f.currency <> ''
            and (f.metric_key = m.numerator and not m.numerator_is_money
              or f.metric_key = m.denominator and not m.denominator_is_money)
        ) as has_quotient
    from metric m
    left join lateral (
      select f.currency from found f where f.metric_key = m.numerator and (m.denominator is null or m.numerator_is_money)
      union
      select f.currency from found f where f.metric_key = m.denominator and m.denominator_is_money
    ) c on true
  ),
  value as (
    select
      s.position, s.currency, b.local_start, b.start,
      case
        when s.denominator is null then q.numerator
        when s.has_quotient then round(q.numerator / nullif(q.denominator, 0), 12)
      end as value
    from series s
    cross join (select local_start, start from bucket union all select 'infinity', null where p_totals) as b
    left join amount n
      on n.metric_key = s.numerator and n.currency = s.numerator_currency and n.local_start = b.local_start
    left join amount d
      on d.metric_key = s.denominator and d.currency = s.denominator_currency and d.local_start = b.local_start
    cross join lateral (
      select
        app.aggregate(s.numerator_method, n.sum, n.count, n.min, n.max) as numerator,
        app.aggregate(s.denominator_method, d.sum, d.count, d.min, d.max) as denominator
    ) as q
    -- Asked once, before the first point is made.
    where (select app.may_answer((select count(*) from series) * (select count(*) from bucket)))
  ),
  answer as (
    select
      v.position, v.currency,
      jsonb_agg(
        jsonb_build_object('start', app.iso_instant(v.start, p_zone), 'value', v.value::text) order by v.start
      ) filter (where v.start is not null) as points,
      max(v.value) filter (where v.start is null) as total
    from value v
    group by v.position, v.currency
  )
  select coalesce(
    jsonb_agg(
      jsonb_build_object(
        'metric', s.key, 'unit', s.unit, 'currency', nullif(s.currency, ''), 'group', '{}'::jsonb, 'points', a.points
      ) || case when p_totals then jsonb_build_object('total', a.total::text) else '{}' end
      order by s.position, s.currency
    ),
    '[]'
  )
  from series s
  join answer a on a.position = s.position and a.currency is not distinct from s.currency
$$;

comment on function
  app.metric_series(uuid, text[], uuid[], timestamptz, timestamptz, text, timestamp, interval, text, boolean) is
  'The series of api.query_metrics';
grant execute on function
  app.metric_series(uuid, text[], uuid[], timestamptz, timestamptz, text, timestamp, interval, text, boolean)
  to tally_query;

reset role;
