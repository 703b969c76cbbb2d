-- Keeps the rollups equal to the events: adds events that came, and takes away what stood in their place before.
--
--   p_parts      events of one organization, added up, which the transaction has written and so keeps locked
--   p_open_from  where its closed months end: of what was recorded before, only rollups are sure to be there
--
-- Where the rollups of a store's metric are to be rebuilt (app.rebuild_rollups) nothing is kept from where that has come to: what is
-- there was added under other keys.
--
-- Rollup rows are locked in the order of their key, by every transaction after its events, so that none deadlocks.
--
-- How many there are, a plan that is kept does not know: it would sort where there are thousands, which takes longer than all
-- the rest. A plan that avoids sorting looks so dear that it would be compiled: hence no jit.

set role tally_owner;

create or replace function app.roll_up(p_parts app.rollup_part[], p_open_from timestamptz) returns void
  language plpgsql volatile set search_path = '' set plan_cache_mode = 'force_generic_plan' set enable_sort = off set jit = off
as $$
declare
  v_org_id constant uuid := app.org_id();
  v_taken public.metric_rollups[];
begin
  with day as materialized (
    select p.timezone, p.day, app.day_start(p.day, p.timezone) as start
    from unnest(p_parts) as p
    group by p.timezone, p.day
  ),
  delta as materialized (
    select
      p.store_id, p.metric_key, b.grain, b.start, coalesce(p.currency, '') as currency, p.dimensions,
      sum(p.sign * p.count)::bigint as count, sum(p.sign * p.sum) as sum,
      -- Of what is taken away too: it is in the row already, so it changes nothing.
      min(p.min) as min, max(p.max) as max, (max(p.latest))[2] as last, max(p.last_at) as last_at,
      min(p.min) filter (where p.sign < 0) as taken_min, max(p.max) filter (where p.sign < 0) as taken_max,
      max(p.last_at) filter (where p.sign < 0) as taken_last_at
    from unnest(p_parts) as p
    join day d on d.timezone = p.timezone and d.day = p.day
    cross join lateral (values ('15m', p.quarter_hour), ('day', d.start)) as b(grain, start)
    where not exists (
      select from app.rollup_rebuilds q
      where q.org_id = v_org_id and q.store_id = p.store_id and q.metric_key = p.metric_key and b.start >= q.rebuilt_before
    )
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

comment on function app.roll_up(app.rollup_part[], timestamptz) is
  'Adds events to the rollups, and takes away what stood in their place before';
grant execute on function app.roll_up(app.rollup_part[], timestamptz) to tally_ingest;

reset role;
