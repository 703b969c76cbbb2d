-- How long raw events are kept, what was closed because of it, and the stores whose rows are still to be removed.

set role tally_owner;

-- The default partition goes. A row in it would block the making of its month for good; and attaching a month locks it
-- against everybody, so that one reader of all partitions (pg_dump) would keep every new month from being made. Without it
-- a row whose month is missing is an error, and whoever inserts calls app.ensure_months first. What should be in it after
-- all moves to its month.
--
-- Concurrently is not possible in a transaction; the lock is there for as long as the default partition has rows to move.
-- squawk-ignore require-concurrent-partition-detach
alter table public.metric_events detach partition partitions.metric_events_default;
-- It has no policy of its own, under which its owner could read it.
alter table partitions.metric_events_default no force row level security;
do $$
declare
  v_month date;
  v_name text;
begin
  for v_month in
    select distinct date_trunc('month', e.recorded_at at time zone 'UTC')::date
    from partitions.metric_events_default e
  loop
    -- As app.ensure_partition does, which there is none of yet where this is applied to an empty database.
    v_name := 'partitions.metric_events_' || to_char(v_month, 'YYYYMM');
    execute format('create table %s (like public.metric_events including all)', v_name);
    execute format('alter table %s enable row level security', v_name);
    execute format('alter table %s force row level security', v_name);
    execute format('comment on table %s is %L', v_name, 'metric_events of ' || to_char(v_month, 'YYYY-MM'));
    execute format(
      'alter table public.metric_events attach partition %s for values from (%L) to (%L)',
      v_name, v_month::text || ' 00:00:00+00', (v_month + interval '1 month')::date::text || ' 00:00:00+00'
    );
  end loop;
end
$$;
insert into public.metric_events select * from partitions.metric_events_default;
-- Its rows have moved.
-- squawk-ignore ban-drop-table
drop table partitions.metric_events_default;

create table app.plan_limits (
  plan_tier public.plan_tier not null constraint plan_limits_pkey primary key,
  events_retention_months bigint,
  constraint plan_limits_events_retention_months_check check (events_retention_months between 1 and 1200)
);
comment on table app.plan_limits is
  'What each plan allows; the numbers are the operator''s: the catalogue gives a plan its first ones and changes none';
comment on column app.plan_limits.events_retention_months is
  'Whole months that raw events are kept besides the current one; null for ever. Rollups are always kept';

create table app.retention (
  org_id uuid not null constraint retention_pkey primary key
    constraint retention_org_id_fkey references public.organizations (id) on delete cascade,
  closed_before timestamptz not null,
  closed_at timestamptz not null default now(),
  purged_before timestamptz not null default '-infinity',
  constraint retention_purged_before_check check (purged_before <= closed_before)
);
comment on table app.retention is
  'Up to when an organization''s months are closed: their raw events are being removed. An event is known as a duplicate by the one that is there, so a closed month takes none any more, or a late repetition would count twice';
comment on column app.retention.closed_before is
  'Events recorded before it are rejected; only ever moves forward, a better plan does not open what was closed';
comment on column app.retention.closed_at is 'When closed_before was last moved';
comment on column app.retention.purged_before is 'Up to when the raw events are gone';

create table app.deleted_stores (
  org_id uuid not null,
  store_id uuid not null,
  deleted_at timestamptz not null default now(),
  closed_at timestamptz,
  constraint deleted_stores_pkey primary key (org_id, store_id)
);
comment on table app.deleted_stores is
  'Stores that were deleted and whose events and rollups are still to be removed. No foreign key: the organization may be gone too';
comment on column app.deleted_stores.deleted_at is 'When the deletion began';
comment on column app.deleted_stores.closed_at is
  'When no batch that saw the store could be under way any more; its rows are removed after that';

do $$
declare
  v_table text;
begin
  foreach v_table in array array['plan_limits', 'retention', 'deleted_stores'] loop
    execute format('alter table app.%I enable row level security', v_table);
    execute format('alter table app.%I force row level security', v_table);
    execute format(
      'create policy %I on app.%I for all to tally_owner using (true) with check (true)', v_table || '_owner', v_table
    );
  end loop;
end
$$;

create policy plan_limits_service on app.plan_limits for all to service_role using (true) with check (true);
-- What is closed or deleted is the functions' to say.
create policy retention_service on app.retention for select to service_role using (true);
create policy deleted_stores_service on app.deleted_stores for select to service_role using (true);

-- They answer what they made now, which `create or replace` cannot bring about.
drop function if exists app.ensure_partitions();
drop function if exists app.ensure_partition(date);

create policy retention_select on app.retention for select to tally_ingest
  using (org_id = (select app.org_id()));

grant select, insert, update, delete on app.plan_limits to service_role;
grant select on app.retention, app.deleted_stores to service_role;
grant select on app.retention to tally_ingest;

reset role;
