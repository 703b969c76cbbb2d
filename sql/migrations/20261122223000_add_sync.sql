-- Where events are fetched from, and the queue of fetching them. The workers that fetch live outside: they take a job with
-- app.claim_sync_job, which lends it for a while, and save how far they came with app.checkpoint_sync_job.

set role tally_owner;

create type public.sync_status as enum ('pending', 'running', 'succeeded', 'failed', 'cancelled');
comment on type public.sync_status is 'Where a job stands: the first two are to be done, the others are over';

create table public.integration_connections (
  org_id uuid not null
    constraint integration_connections_org_id_fkey references public.organizations (id) on delete cascade,
  id uuid not null default gen_random_uuid(),
  store_id uuid not null,
  provider text not null,
  display_name text not null,
  external_account_id text,
  status text not null default 'active',
  settings jsonb not null default '{}',
  vault_secret_id uuid,
  has_credential boolean not null generated always as (vault_secret_id is not null) stored,
  last_error_type text,
  last_error_at timestamptz,
  created_by uuid default app.user_id(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint integration_connections_pkey primary key (org_id, id),
  constraint integration_connections_org_id_store_id_fkey
    foreign key (org_id, store_id) references public.stores (org_id, id) on delete cascade,
  constraint integration_connections_provider_check check (provider ~ '^[a-z][a-z0-9_]{0,62}$'),
  constraint integration_connections_display_name_check check (length(display_name) between 1 and 200),
  constraint integration_connections_external_account_id_check check (length(external_account_id) between 1 and 200),
  constraint integration_connections_status_check check (status in ('active', 'paused', 'error', 'revoked')),
  constraint integration_connections_settings_check
    check (jsonb_typeof(settings) = 'object' and octet_length(settings::text) <= 16384),
  constraint integration_connections_last_error_check check (
    last_error_type in ('authorization', 'configuration') and (last_error_type is null) = (last_error_at is null)
  )
);
comment on table public.integration_connections is 'An account at a provider that a store''s events are fetched from';
comment on column public.integration_connections.provider is 'Which system: shopify, meta_ads';
comment on column public.integration_connections.external_account_id is 'What the account is called there; null where a store has one only';
comment on column public.integration_connections.status is
  'Jobs are handed out of active ones only. error: a job met something that people must put right; revoked: given up at the provider';
comment on column public.integration_connections.settings is 'What the worker needs to know, and no secrets: every member reads it';
comment on column public.integration_connections.vault_secret_id is
  'The credential: a row of vault.secrets, or of private.integration_secrets. Set by the functions of schema private only, or a secret of somebody else could be put in its place';
comment on column public.integration_connections.has_credential is 'Whether there is a credential, for those who may not know which';
comment on column public.integration_connections.last_error_type is 'What put it into status error last';
comment on column public.integration_connections.last_error_at is 'When that was';
-- An index, since the name of the constraint would be longer than a name can be.
create unique index integration_connections_org_id_store_id_provider_account_key
  on public.integration_connections (org_id, store_id, provider, external_account_id) nulls not distinct;

create table public.sync_jobs (
  org_id uuid not null constraint sync_jobs_org_id_fkey references public.organizations (id) on delete cascade,
  id uuid not null default gen_random_uuid(),
  connection_id uuid not null,
  stream text not null,
  status public.sync_status not null default 'pending',
  cursor jsonb,
  priority bigint not null default 100,
  every interval,
  available_at timestamptz not null default now(),
  attempts bigint not null default 0,
  max_attempts bigint not null default 20,
  worker text,
  lease_token uuid,
  lease interval,
  heartbeat_at timestamptz,
  records bigint not null default 0,
  error_type text,
  error_detail text,
  started_at timestamptz,
  finished_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint sync_jobs_pkey primary key (org_id, id),
  constraint sync_jobs_org_id_connection_id_fkey
    foreign key (org_id, connection_id) references public.integration_connections (org_id, id) on delete cascade,
  constraint sync_jobs_stream_check check (stream ~ '^[a-z][a-z0-9_]{0,62}$'),
  constraint sync_jobs_cursor_check check (octet_length(cursor::text) <= 65536),
  constraint sync_jobs_priority_check check (priority between 0 and 1000),
  -- No part of it negative: '-1 month 30 days' counts as nothing here and as a day back when it is added to a date.
  constraint sync_jobs_every_check check (
    every between '1 minute' and '1 year'
    and least(
      extract(year from every), extract(month from every), extract(day from every),
      extract(hour from every), extract(minute from every), extract(second from every)
    ) >= 0
  ),
  constraint sync_jobs_attempts_check check (attempts >= 0 and max_attempts between 1 and 100),
  constraint sync_jobs_worker_check check (length(worker) between 1 and 200),
  constraint sync_jobs_lease_check check (
    lease between '1 second' and '1 hour'
    and (status <> 'running' or (worker is not null and lease is not null and heartbeat_at is not null and started_at is not null))
    and (status = 'running') = (lease_token is not null)
  ),
  constraint sync_jobs_records_check check (records >= 0),
  constraint sync_jobs_error_type_check check (
    error_type in ('transient', 'rate_limited', 'authorization', 'configuration', 'internal', 'lost_worker')
    and (status <> 'failed' or error_type is not null)
  ),
  constraint sync_jobs_error_detail_check check (length(error_detail) <= 1000),
  constraint sync_jobs_finished_at_check
    check (status = 'pending' or (status = 'running') = (finished_at is null))
);
comment on table public.sync_jobs is
  'What is to be fetched, is being fetched and was. One row is one stream of one connection; a recurring job keeps its row';
comment on column public.sync_jobs.connection_id is 'The connection it fetches from';
comment on column public.sync_jobs.stream is 'What is fetched: orders, ad_spend';
comment on column public.sync_jobs.status is 'Changed by the functions of schema app only';
comment on column public.sync_jobs.cursor is 'How far the worker came, in its own words; null to begin at the start. No credentials';
comment on column public.sync_jobs.priority is 'The least comes first';
comment on column public.sync_jobs.every is 'How long after one run has succeeded the next begins; null for once';
comment on column public.sync_jobs.available_at is
  'From when on it is handed out: when pending the time it waits for, when running the end of the lease';
comment on column public.sync_jobs.attempts is 'How often it was handed out since it last came further';
comment on column public.sync_jobs.max_attempts is
  'How many of those there are before it fails; 20 of them, an hour apart at most, outlast half a day at a provider';
comment on column public.sync_jobs.worker is 'Who has it, or had it last';
comment on column public.sync_jobs.lease_token is 'Known to the one who has it now: what comes with another token is refused';
comment on column public.sync_jobs.lease is 'How long it is lent, and lent on by each sign of life';
comment on column public.sync_jobs.heartbeat_at is 'The last sign of life';
comment on column public.sync_jobs.records is 'How many records the last run has brought so far';
comment on column public.sync_jobs.error_type is 'Why the last attempt failed; null again when it goes well';
comment on column public.sync_jobs.error_detail is
  'The same for people. Written by workers and read by every member: never a credential, never the body of a response';
comment on column public.sync_jobs.started_at is 'When the last run began';
comment on column public.sync_jobs.finished_at is 'When the last run ended; null while one is under way, and while it is tried again';

-- One at a time for what would write the same rows.
create unique index sync_jobs_org_id_connection_id_stream_key
  on public.sync_jobs (org_id, connection_id, stream) where status in ('pending', 'running');
create index sync_jobs_org_id_connection_id_created_at_idx on public.sync_jobs (org_id, connection_id, created_at);
-- The queue: what is over is not in it, so that a claim costs the same however much was done already.
create index sync_jobs_priority_available_at_idx
  on public.sync_jobs (priority, available_at) where status in ('pending', 'running');

do $$
declare
  v_table text;
begin
  foreach v_table in array array['integration_connections', 'sync_jobs'] loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('alter table public.%I force row level security', v_table);
    execute format(
      'create policy %I on public.%I for all to tally_owner using (true) with check (true)', v_table || '_owner', v_table
    );
    execute format(
      'create policy %I on public.%I for all to service_role using (true) with check (true)', v_table || '_service', v_table
    );
    execute format(
      'create policy %I on public.%I for select to authenticated using (org_id = (select app.org_id()))',
      v_table || '_select', v_table
    );
  end loop;
end
$$;

create policy integration_connections_insert on public.integration_connections for insert to authenticated
  with check (org_id = (select app.org_id()) and (select app.is_manager()));
create policy integration_connections_update on public.integration_connections for update to authenticated
  using (org_id = (select app.org_id()) and (select app.is_manager()))
  with check (org_id = (select app.org_id()) and (select app.is_manager()));
create policy integration_connections_delete on public.integration_connections for delete to authenticated
  using (org_id = (select app.org_id()) and (select app.is_manager()));

grant select (
    org_id, id, store_id, provider, display_name, external_account_id, status, settings, has_credential, last_error_type,
    last_error_at, created_by, created_at, updated_at
  ),
  insert (org_id, store_id, provider, display_name, external_account_id, status, settings),
  update (display_name, external_account_id, status, settings),
  delete
  on public.integration_connections to authenticated;
-- Not vault_secret_id, see there.
grant select,
  insert (org_id, id, store_id, provider, display_name, external_account_id, status, settings, created_by),
  update (store_id, provider, display_name, external_account_id, status, settings, last_error_type, last_error_at),
  delete
  on public.integration_connections to service_role;

-- Managers write through app.schedule_sync_job, app.retry_sync_job and app.cancel_sync_job. Nobody needs to know of the workers.
grant select (
    org_id, id, connection_id, stream, status, cursor, priority, every, available_at, attempts, max_attempts, records,
    error_type, error_detail, started_at, finished_at, created_at, updated_at
  )
  on public.sync_jobs to authenticated;
grant select, insert, update, delete on public.sync_jobs to service_role;

reset role;
