-- What is measured: definitions, events by month, and the rollups that are kept with them.

set role tally_owner;

create table public.metric_definitions (
  id uuid not null default gen_random_uuid() constraint metric_definitions_pkey primary key,
  org_id uuid constraint metric_definitions_org_id_fkey references public.organizations (id) on delete cascade,
  key text not null,
  source text,
  display_name text not null,
  unit text not null,
  aggregation_method text not null,
  category text not null,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  constraint metric_definitions_org_id_key_key unique nulls not distinct (org_id, key),
  constraint metric_definitions_key_check check (key ~ '^[a-z][a-z0-9_]{0,62}$'),
  constraint metric_definitions_unit_check check (unit in ('currency', 'count')),
  constraint metric_definitions_aggregation_method_check
    check (aggregation_method in ('sum', 'count', 'avg', 'min', 'max')),
  constraint metric_definitions_metadata_check check (
    jsonb_typeof(metadata) = 'object'
    and (not metadata ? 'rollup_dimensions' or jsonb_typeof(metadata -> 'rollup_dimensions') = 'array')
  )
);
comment on table public.metric_definitions is
  'What can be measured: the standard catalogue (no org_id), and what an organization defines for itself; its own wins';
comment on column public.metric_definitions.source is 'Where its events come from, if from one place only';
comment on column public.metric_definitions.unit is 'currency: events carry an ISO 4217 code; count: a plain number';
comment on column public.metric_definitions.aggregation_method is 'How values of events become the value of a bucket';
comment on column public.metric_definitions.metadata is
  'rollup_dimensions: the low-cardinality dimensions that rollups are kept by';

create table public.metric_events (
  org_id uuid not null,
  store_id uuid not null,
  source text not null,
  event_id text not null,
  recorded_at timestamptz not null,
  metric_key text not null,
  value numeric not null,
  currency text,
  dimensions jsonb not null default '{}',
  ingested_at timestamptz not null default now(),
  constraint metric_events_pkey primary key (org_id, store_id, source, event_id, recorded_at),
  constraint metric_events_value_check check (value <> 'NaN' and abs(value) < 'Infinity'),
  constraint metric_events_currency_check check (currency ~ '^[A-Z]{3}$')
) partition by range (recorded_at);
comment on table public.metric_events is
  'What happened, once: an event is known by store, source, id and time. One partition a month, in schema partitions. No foreign key to stores: it would cost every row a look-up that api.ingest_events has made';
comment on column public.metric_events.event_id is 'The id that the sender gave, unique within store and source';
comment on column public.metric_events.currency is 'ISO 4217 code of the value; null for plain numbers';
comment on column public.metric_events.ingested_at is 'When the database took it';

create table partitions.metric_events_default partition of public.metric_events default;
comment on table partitions.metric_events_default is 'Stands by and stays empty: a row here would block its month';

create table public.metric_rollups (
  org_id uuid not null,
  store_id uuid not null,
  metric_key text not null,
  grain text not null,
  bucket_start timestamptz not null,
  currency text not null,
  dimensions jsonb not null,
  count bigint not null,
  sum numeric not null,
  min numeric not null,
  max numeric not null,
  constraint metric_rollups_pkey
    primary key (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions),
  constraint metric_rollups_grain_check check (grain in ('15m', 'day'))
);
comment on table public.metric_rollups is
  'Sums over metric_events, kept exact by the statement that inserts them: only rows really inserted count';
comment on column public.metric_rollups.grain is
  '15m: a quarter hour, of which the days of nearly every zone are made since 1970; day: a day in the store''s own zone';
comment on column public.metric_rollups.bucket_start is 'The first instant of the quarter hour or the day';
comment on column public.metric_rollups.currency is 'ISO 4217 code, empty for plain numbers, since a key cannot hold null';
comment on column public.metric_rollups.dimensions is 'The dimensions that the definition declares, and no others';

do $$
declare
  v_table text;
begin
  foreach v_table in array array['metric_definitions', 'metric_events', 'metric_rollups'] loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('alter table public.%I force row level security', v_table);
    execute format(
      'create policy %I on public.%I for all to tally_owner using (true) with check (true)',
      v_table || '_owner', v_table
    );
    execute format(
      'create policy %I on public.%I for all to service_role using (true) with check (true)',
      v_table || '_service', v_table
    );
  end loop;
end
$$;
alter table partitions.metric_events_default enable row level security;
alter table partitions.metric_events_default force row level security;

create policy metric_definitions_select on public.metric_definitions for select
  to authenticated, tally_ingest, tally_query
  using (org_id is null or org_id = (select app.org_id()));
create policy metric_definitions_insert on public.metric_definitions for insert to authenticated
  with check (org_id = (select app.org_id()) and (select app.is_manager()));
create policy metric_definitions_update on public.metric_definitions for update to authenticated
  using (org_id = (select app.org_id()) and (select app.is_manager()))
  with check (org_id = (select app.org_id()) and (select app.is_manager()));
create policy metric_definitions_delete on public.metric_definitions for delete to authenticated
  using (org_id = (select app.org_id()) and (select app.is_manager()));

create policy metric_events_select on public.metric_events for select to authenticated, tally_ingest, tally_query
  using (
    org_id = (select app.org_id())
    and ((select app.key_store_id()) is null or store_id = (select app.key_store_id()))
  );
create policy metric_events_insert on public.metric_events for insert to tally_ingest
  with check (
    org_id = (select app.org_id())
    and (select app.may_write_events())
    and ((select app.key_store_id()) is null or store_id = (select app.key_store_id()))
  );

create policy metric_rollups_select on public.metric_rollups for select to authenticated, tally_ingest, tally_query
  using (
    org_id = (select app.org_id())
    and ((select app.key_store_id()) is null or store_id = (select app.key_store_id()))
  );
create policy metric_rollups_insert on public.metric_rollups for insert to tally_ingest
  with check (org_id = (select app.org_id()) and (select app.may_write_events()));
create policy metric_rollups_update on public.metric_rollups for update to tally_ingest
  using (org_id = (select app.org_id()) and (select app.may_write_events()))
  with check (org_id = (select app.org_id()) and (select app.may_write_events()));

-- The one place that says whose definition counts. As its caller, so that the policy above decides which there are.
create view app.metrics with (security_invoker = true) as
  select distinct on (d.key) d.*
  from public.metric_definitions d
  order by d.key, d.org_id nulls last;
comment on view app.metrics is
  'The definitions that the organization of the request uses: its own before the standard one of the same key';
grant select on app.metrics to tally_ingest, tally_query;

grant select on public.metric_definitions to authenticated, tally_ingest, tally_query;
grant insert, delete on public.metric_definitions to authenticated;
grant update (source, display_name, unit, aggregation_method, category) on public.metric_definitions to authenticated;
grant select on public.metric_events to authenticated, tally_query;
grant select, insert on public.metric_events to tally_ingest;
grant select on public.metric_rollups to authenticated, tally_query;
grant select, insert, update on public.metric_rollups to tally_ingest;
grant select, insert, update, delete on public.metric_definitions, public.metric_events, public.metric_rollups
  to service_role;

reset role;
