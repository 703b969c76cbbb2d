-- The dimensions of a metric that has events can change: its rollups are made anew in the background, and until then its answers
-- come from the events.

set role tally_owner;

create table app.rollup_rebuilds (
  org_id uuid not null,
  store_id uuid not null,
  metric_key text not null,
  requested_at timestamptz not null default now(),
  rebuilt_before timestamptz not null default '-infinity',
  constraint rollup_rebuilds_pkey primary key (org_id, store_id, metric_key),
  constraint rollup_rebuilds_org_id_store_id_fkey
    foreign key (org_id, store_id) references public.stores (org_id, id) on delete cascade
);
comment on table app.rollup_rebuilds is
  'Whose rollups are kept by other dimensions than the definition says. While a row is here, those of that store and metric are not to be gone by; app.rebuild_rollups makes them anew, piece by piece, and takes the row away';
comment on column app.rollup_rebuilds.requested_at is 'When the definition changed last';
comment on column app.rollup_rebuilds.rebuilt_before is
  'The start of a local day of the store: buckets that begin before it are rebuilt and kept equal to the events (app.roll_up), later ones not yet';

alter table app.rollup_rebuilds enable row level security;
alter table app.rollup_rebuilds force row level security;
create policy rollup_rebuilds_owner on app.rollup_rebuilds for all to tally_owner using (true) with check (true);
create policy rollup_rebuilds_service on app.rollup_rebuilds for select to service_role using (true);
create policy rollup_rebuilds_select on app.rollup_rebuilds for select to tally_ingest, tally_query
  using (
    org_id = (select app.org_id())
    and ((select app.key_store_id()) is null or store_id = (select app.key_store_id()))
  );
grant select on app.rollup_rebuilds to tally_ingest, tally_query, service_role;

-- app.follow_metric_definition has taken its place.
drop trigger if exists metric_definitions_keep_rollup_dimensions on public.metric_definitions;
drop function if exists app.keep_rollup_dimensions();

reset role;
