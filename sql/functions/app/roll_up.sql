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
  with change as (
    select a.*, 1 as sign from unnest(p_added) as a
    union all
    select t.*, -1 from unnest(p_taken) as t
  ),
  definition as materialized (
    select m.key, array(select jsonb_array_elements_text(m.metadata -> 'rollup_dimensions')) as names
    from app.metrics m
  ),
  -- By quarter hour and day at once, so that each event is looked at once; the rows of both grains are then added up from few.
  part as materialized (
    select
      c.store_id, s.timezone, c.metric_key, coalesce(c.currency, '') as currency,
      -- A metric declares few dimensions, mostly one.
      case cardinality(d.names)
        when 1 then
          case when c.dimensions ? d.names[1] then jsonb_build_object(d.names[1], c.dimensions -> d.names[1]) else '{}' end
        else (
          select coalesce(jsonb_object_agg(declared.name, c.dimensions -> declared.name), '{}')
          from unnest(d.names) as declared(name)
          where c.dimensions ? declared.name
        )
      end as dimensions,
      date_bin('15 minutes', c.recorded_at, '2000-01-01Z') as quarter_hour,
      (c.recorded_at at time zone s.timezone)::date as day,
      sum(c.sign) as count, sum(c.sign * c.value) as sum,
      -- Of what is taken away too: it is in the row already, so it changes nothing.
      min(c.value) as min, max(c.value) as max,
      max(array[extract(epoch from c.recorded_at), c.value]) as latest, max(c.recorded_at) as last_at,
      min(c.value) filter (where c.sign < 0) as taken_min,
      max(c.value) filter (where c.sign < 0) as taken_max,
      max(c.recorded_at) filter (where c.sign < 0) as taken_last_at
    from change c
    join public.stores s on s.org_id = v_org_id and s.id = c.store_id
    left join definition d on d.key = c.metric_key
    group by 1, 2, 3, 4, 5, 6, 7
  ),
  delta as materialized (
    select
      p.store_id, p.metric_key, b.grain, coalesce(b.quarter_hour, app.day_start(b.day, p.timezone)) as start, p.currency,
      p.dimensions, sum(p.count)::bigint as count, sum(p.sum) as sum, min(p.min) as min, max(p.max) as max,
      (max(p.latest))[2] as last, max(p.last_at) as last_at,
      min(p.taken_min) as taken_min, max(p.taken_max) as taken_max, max(p.taken_last_at) as taken_last_at
    from part p
    cross join lateral (values ('15m', p.quarter_hour, null::date), ('day', null, p.day)) as b(grain, quarter_hour, day)
    group by p.store_id, p.timezone, p.metric_key, b.grain, b.quarter_hour, b.day, p.currency, p.dimensions
  ),
  rolled_up as (
    insert into public.metric_rollups as r
      (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions, count, sum, min, max, last, last_at)
    select
      v_org_id, d.store_id, d.metric_key, d.grain, d.start, d.currency, d.dimensions,
      d.count, d.sum, d.min, d.max, d.last, d.last_at
    from delta d
    order by d.store_id, d.metric_key, d.grain, d.start, d.currency, d.dimensions
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
