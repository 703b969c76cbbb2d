-- Keeps the rollups equal to the events: adds events that came, and takes away what stood in their place before.
--
--   p_added, p_taken  events of one organization, which the transaction has written and so keeps locked
--   p_open_from       where its closed months end: of what was recorded before, only rollups are sure to be there
--
-- Rollup rows are locked in the order of their key, by every transaction after its events, so that none deadlocks.
--
-- How many events there are, a plan that is kept does not know: it would sort a handful where there are thousands to be put
-- together, which takes longer than all the rest. A plan that avoids sorting looks so dear that it would be compiled: hence
-- no jit.

set role tally_owner;

create or replace function app.roll_up(
  p_added public.metric_events[],
  p_taken public.metric_events[],
  p_open_from timestamptz
) returns void
  language plpgsql volatile set search_path = '' set plan_cache_mode = 'force_generic_plan' set enable_sort = off set jit = off
as $$
declare
  v_org_id constant uuid := app.org_id();
  v_taken public.metric_rollups[];
begin
  with change as not materialized (
    select 1 as sign, a.* from unnest(p_added) as a
    union all
    select -1, t.* from unnest(p_taken) as t
  ),
  -- Events are many and differ in little: they are added up first, and what is to be looked up or taken apart comes after that.
  alike as materialized (
    select
      c.sign, c.store_id, c.metric_key, c.currency, c.dimensions,
      date_bin('15 minutes', c.recorded_at, '2000-01-01Z') as quarter_hour,
      count(*) as count, sum(c.value) as sum, min(c.value) as min, max(c.value) as max,
      max(array[extract(epoch from c.recorded_at), c.value]) as latest,
      min(c.recorded_at) as first_at, max(c.recorded_at) as last_at
    from change c
    group by 1, 2, 3, 4, 5, 6
  ),
  store as materialized (
    select s.id, s.timezone
    from (select distinct a.store_id from alike a) as d
    cross join lateral (
      select s.id, s.timezone from public.stores s where s.org_id = v_org_id and s.id = d.store_id offset 0
    ) as s
  ),
  definition as materialized (
    select m.key, array(select jsonb_array_elements_text(m.metadata -> 'rollup_dimensions')) as names
    from app.metrics m
    where m.key = any (array(select distinct a.metric_key from alike a))
  ),
  dated as materialized (
    select
      a.*, s.timezone, (a.first_at at time zone s.timezone)::date as first_day, (a.last_at at time zone s.timezone)::date as last_day
    from alike a
    join store s on s.id = a.store_id
  ),
  -- A quarter hour has one local date, but in the few zones and years where clocks were off it by minutes; and none has come
  -- back to a date within one.
  part as materialized (
    select
      d.sign, d.store_id, d.timezone, d.metric_key, d.currency, d.dimensions, d.quarter_hour, d.first_day as day,
      d.count, d.sum, d.min, d.max, d.latest, d.last_at
    from dated d
    where d.first_day = d.last_day
    union all
    select
      d.sign, d.store_id, d.timezone, d.metric_key, d.currency, d.dimensions, d.quarter_hour,
      (c.recorded_at at time zone d.timezone)::date,
      1, c.value, c.value, c.value, array[extract(epoch from c.recorded_at), c.value], c.recorded_at
    from dated d
    join change c
      on c.sign = d.sign and c.store_id = d.store_id and c.metric_key = d.metric_key
      and c.currency is not distinct from d.currency and c.dimensions = d.dimensions
      and c.recorded_at between d.first_at and d.last_at
    where d.first_day <> d.last_day
  ),
  rolled as materialized (
    select p.*, (
      select coalesce(jsonb_object_agg(declared.name, p.dimensions -> declared.name), '{}')
      from unnest(d.names) as declared(name)
      where p.dimensions ? declared.name
    ) as rollup_dimensions
    from part p
    left join definition d on d.key = p.metric_key
  ),
  day as materialized (
    select p.timezone, p.day, app.day_start(p.day, p.timezone) as start from part p group by p.timezone, p.day
  ),
  delta as materialized (
    select
      p.store_id, p.metric_key, b.grain, b.start, coalesce(p.currency, '') as currency, p.rollup_dimensions as dimensions,
      sum(p.sign * p.count)::bigint as count, sum(p.sign * p.sum) as sum,
      -- Of what is taken away too: it is in the row already, so it changes nothing.
      min(p.min) as min, max(p.max) as max, (max(p.latest))[2] as last, max(p.last_at) as last_at,
      min(p.min) filter (where p.sign < 0) as taken_min, max(p.max) filter (where p.sign < 0) as taken_max,
      max(p.last_at) filter (where p.sign < 0) as taken_last_at
    from rolled p
    join day d on d.timezone = p.timezone and d.day = p.day
    cross join lateral (values ('15m', p.quarter_hour), ('day', d.start)) as b(grain, start)
    group by 1, 2, 3, 4, 5, 6
  ),
  rolled_up as (
    insert into public.metric_rollups as r
      (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions, count, sum, min, max, last, last_at)
    select
      v_org_id, d.store_id, d.metric_key, d.grain, d.start, d.currency, d.dimensions,
      d.count, d.sum, d.min, d.max, d.last, d.last_at
    from delta d
    order by d.store_id, d.metric_key collate "C", d.grain collate "C", d.start, d.currency collate "C", d.dimensions
    on conflict (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions) do update
    set count = r.count + excluded.count,
        sum = r.sum + excluded.sum,
        min = least(r.min, excluded.min),
        max = greatest(r.max, excluded.max),
        last = case when (excluded.last_at, excluded.last) > (r.last_at, r.last) then excluded.last else r.last end,
        last_at = greatest(r.last_at, excluded.last_at)
  )
  select coalesce(array_agg(
    row(
      v_org_id, d.store_id, d.metric_key, d.grain, d.start, d.currency, d.dimensions,
      d.count, d.sum, d.taken_min, d.taken_max, null, d.taken_last_at
    )::public.metric_rollups
  ), '{}')
  into v_taken
  from delta d
  where d.taken_min is not null;

  if cardinality(v_taken) > 0 then
    perform app.settle_rollups(v_taken, p_open_from);
  end if;
end
$$;

comment on function app.roll_up(public.metric_events[], public.metric_events[], timestamptz) is
  'Adds events to the rollups, and takes away what stood in their place before';
grant execute on function app.roll_up(public.metric_events[], public.metric_events[], timestamptz) to tally_ingest;

reset role;
