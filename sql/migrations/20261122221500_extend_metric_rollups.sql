-- The last value of each bucket, and the right to restate events.
--
-- An index of a partitioned table cannot be made concurrently, and no rollup is left when the columns are added.
-- squawk-ignore-file require-concurrent-index-creation, adding-required-field

set role tally_owner;

-- The index before the lock on the rollups: who writes takes locks on events first, too.
create index metric_events_org_id_store_id_metric_key_recorded_at_idx
  on public.metric_events (org_id, store_id, metric_key, recorded_at);

comment on column public.metric_events.ingested_at is 'When the database took it, or its last restatement';

-- No rows first, so that the new columns need no default; then all of them anew from the events.
truncate public.metric_rollups;
alter table public.metric_rollups
  add column last numeric not null,
  add column last_at timestamptz not null,
  -- Room on each page for the next version of its rows: the buckets of today are updated over and over.
  set (fillfactor = 85);
comment on table public.metric_rollups is
  'Sums over metric_events, kept exact by app.roll_up in the transaction that inserts or restates them';
comment on column public.metric_rollups.last is
  'The value with the greatest recorded_at of the bucket; of several at that instant the largest';
comment on column public.metric_rollups.last_at is 'When the last value was recorded';

insert into public.metric_rollups
  (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions, count, sum, min, max, last, last_at)
select
  e.org_id, e.store_id, e.metric_key, b.grain, b.start, coalesce(e.currency, ''), k.dimensions,
  count(*), sum(e.value), min(e.value), max(e.value),
  (max(array[extract(epoch from e.recorded_at), e.value]))[2], max(e.recorded_at)
from public.metric_events e
join public.stores s on s.org_id = e.org_id and s.id = e.store_id
left join lateral (
  select d.metadata -> 'rollup_dimensions' as names
  from public.metric_definitions d
  where d.key = e.metric_key and (d.org_id = e.org_id or d.org_id is null)
  order by d.org_id nulls last
  limit 1
) as declared on true
cross join lateral (
  select coalesce(jsonb_object_agg(n.name, e.dimensions -> n.name), '{}')
  from jsonb_array_elements_text(coalesce(declared.names, '[]')) as n(name)
  where e.dimensions ? n.name
) as k(dimensions)
-- As app.day_start has it, which there is none of yet where this is applied to an empty database.
cross join lateral (
  select m.day, m.day at time zone s.timezone as midnight
  from (select date_trunc('day', e.recorded_at at time zone s.timezone) as day) as m
) as d
cross join lateral (
  values
    ('15m', date_bin('15 minutes', e.recorded_at, '2000-01-01Z')),
    ('day', case
      when (d.midnight - interval '1 hour') at time zone s.timezone >= d.day then d.midnight - interval '1 hour'
      else d.midnight
    end)
) as b(grain, start)
group by e.org_id, e.store_id, e.metric_key, b.grain, b.start, coalesce(e.currency, ''), k.dimensions;

create policy metric_events_update on public.metric_events for update to tally_ingest
  using (
    org_id = (select app.org_id())
    and (select app.may_write_events())
    and ((select app.key_store_id()) is null or store_id = (select app.key_store_id()))
  )
  with check (
    org_id = (select app.org_id())
    and (select app.may_write_events())
    and ((select app.key_store_id()) is null or store_id = (select app.key_store_id()))
  );
create policy metric_rollups_delete on public.metric_rollups for delete to tally_ingest
  using (org_id = (select app.org_id()) and (select app.may_write_events()));

-- Not what an event is known by.
grant update (metric_key, value, currency, dimensions, ingested_at) on public.metric_events to tally_ingest;
grant delete on public.metric_rollups to tally_ingest;

drop function if exists api.ingest_events(text, text[], text[], text[], text[], text[], text[], text[], text[]);

reset role;
