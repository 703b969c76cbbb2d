-- Rollups of the organization $1 that are missing, wrong or too many, compared with what plain SQL makes of its events.
-- A day begins with the first quarter hour of its date, or half a minute before it (Monrovia until 1972). Materialized: tables
-- that nobody has analysed are taken to be empty.

with event as (
  select e.*, s.timezone, (e.recorded_at at time zone s.timezone)::date as day
  from public.metric_events e join public.stores s on s.org_id = e.org_id and s.id = e.store_id
  where e.org_id = $1
),
day_start as materialized (
  select d.timezone, d.day, min(i.instant) as start
  from (select distinct timezone, day from event) d,
    generate_series((d.day - 1)::timestamp at time zone 'UTC', (d.day + 2)::timestamp at time zone 'UTC', '15 minutes')
      as g(quarter_hour),
    lateral (values (g.quarter_hour - interval '30 seconds'), (g.quarter_hour)) as i(instant)
  where (i.instant at time zone d.timezone)::date = d.day
  group by d.timezone, d.day
),
definition as materialized ( -- one's own before the standard one
  select distinct on (m.key) m.key, m.metadata from public.metric_definitions m
  where m.org_id = $1 or m.org_id is null
  order by m.key, m.org_id nulls last
),
placed as (
  select e.*, '15m' as grain, to_timestamp(floor(extract(epoch from e.recorded_at) / 900) * 900) as start from event e
  union all
  select e.*, 'day', d.start from event e join day_start d using (timezone, day)
),
expected as (
  select
    p.org_id, p.store_id, p.metric_key, p.grain, p.start, coalesce(p.currency, '') as currency,
    (
      select coalesce(jsonb_object_agg(f.key, f.value), '{}') from jsonb_each(p.dimensions) f
      where f.key in (
        select jsonb_array_elements_text(d.metadata -> 'rollup_dimensions') from definition d
        where d.key = p.metric_key
      )
    ) as dimensions,
    count(*) as count, sum(p.value) as sum, min(p.value) as min, max(p.value) as max,
    (array_agg(p.value order by p.recorded_at desc, p.value desc))[1] as last, max(p.recorded_at) as last_at
  from placed p group by 1, 2, 3, 4, 5, 6, 7
),
kept as (
  select
    org_id, store_id, metric_key, grain, bucket_start, currency, dimensions, count, sum, min, max, last, last_at
  from public.metric_rollups where org_id = $1
)
select 'missing: ' || x::text from (select * from expected except all select * from kept) x
union all
select 'too much: ' || x::text from (select * from kept except all select * from expected) x
order by 1
