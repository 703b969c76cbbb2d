-- Counts the days of a store anew when its time zone changes, since its day rollups are kept in it: from the quarter hours, of
-- which the days of nearly every zone are made, and which are there for ever.
--
-- Security definer: whoever may change a store need not have a right to rollups.

set role tally_owner;

create or replace function app.recount_days() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Waits for the batches under way, which read the zone after they took this lock (app.closed_before).
  perform pg_advisory_xact_lock(app.batch_lock(new.org_id));
  -- Where quarter hours are being rebuilt the days are begun anew, since those of this zone end elsewhere.
  update app.rollup_rebuilds set rebuilt_before = '-infinity' where org_id = new.org_id and store_id = new.id;
  delete from public.metric_rollups where org_id = new.org_id and store_id = new.id and grain = 'day';
  insert into public.metric_rollups
    (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions, count, sum, min, max, last, last_at)
  select
    new.org_id, new.id, q.metric_key, 'day', app.day_start(q.day, new.timezone), q.currency, q.dimensions,
    q.count, q.sum, q.min, q.max, q.last, q.last_at
  from (
    select
      r.metric_key, (r.bucket_start at time zone new.timezone)::pg_catalog.date as day, r.currency, r.dimensions,
      sum(r.count) as count, sum(r.sum) as sum, min(r.min) as min, max(r.max) as max,
      (array_agg(r.last order by r.last_at desc))[1] as last, max(r.last_at) as last_at
    from public.metric_rollups r
    where r.org_id = new.org_id and r.store_id = new.id and r.grain = '15m'
    group by 1, 2, 3, 4
  ) as q;
  return null;
end
$$;

comment on function app.recount_days() is 'Counts the days of a store anew in its new time zone';

create or replace trigger stores_recount_days
  after update of timezone on public.stores
  for each row when (new.timezone is distinct from old.timezone)
  execute function app.recount_days();

reset role;
