-- Limits of what an organization sends, the record of what was changed after it was sent, and a quarantine that can be replayed.
--
-- plan_limits has a row for each plan, and no function has written to quarantined_events yet.
-- squawk-ignore-file constraint-missing-not-valid, disallowed-unique-constraint, require-concurrent-index-creation, adding-not-nullable-field

set role tally_owner;

-- Limits

alter table app.plan_limits
  add column events_per_minute bigint,
  add column events_per_month bigint,
  add column quarantined_events bigint not null default 10000,
  -- The largest batch always fits into a minute that is not begun yet.
  add constraint plan_limits_events_per_minute_check check (events_per_minute >= 5000),
  add constraint plan_limits_events_per_month_check check (events_per_month >= 1),
  add constraint plan_limits_quarantined_events_check check (quarantined_events between 0 and 100000);
comment on column app.plan_limits.events_per_minute is 'Events an organization may send in a minute, whatever becomes of them; null for any number';
comment on column app.plan_limits.events_per_month is 'New events that are taken of an organization in a month of UTC; null for any number';
comment on column app.plan_limits.quarantined_events is 'Rejected events that are kept for an organization; further ones are rejected and not kept';

update app.plan_limits l
set events_per_minute = first.per_minute, events_per_month = first.per_month, quarantined_events = first.quarantined
from (values
  ('free', 300000, 10000000, 10000), ('starter', 600000, 100000000, 10000), ('growth', 1500000, 1000000000, 50000),
  ('enterprise', null, null, 100000)
) as first(plan_tier, per_minute, per_month, quarantined)
where l.plan_tier::text = first.plan_tier;

create table app.ingest_usage (
  org_id uuid not null,
  slot bigint not null,
  minute timestamptz not null,
  minute_events bigint not null,
  month date not null,
  month_events bigint not null,
  constraint ingest_usage_pkey primary key (org_id, slot)
) with (fillfactor = 50);
comment on table app.ingest_usage is
  'What an organization sent, spread over slots so that its batches do not wait for one row: a count is the sum over them. No foreign key, for which removing an organization would wait for its batches; app.maintain removes what is left';
comment on column app.ingest_usage.slot is 'Chosen by the session that counts';
comment on column app.ingest_usage.minute is 'The minute that minute_events counts; another one begins anew';
comment on column app.ingest_usage.minute_events is 'Events sent in the minute';
comment on column app.ingest_usage.month is 'The first day of the month of UTC that month_events counts';
comment on column app.ingest_usage.month_events is 'New events taken in the month';

alter table app.ingest_usage enable row level security;
alter table app.ingest_usage force row level security;
create policy ingest_usage_owner on app.ingest_usage for all to tally_owner using (true) with check (true);
create policy ingest_usage_service on app.ingest_usage for select to service_role using (true);
grant select on app.ingest_usage to service_role;

-- What was changed

create table public.event_changes (
  org_id uuid not null constraint event_changes_org_id_fkey references public.organizations (id) on delete cascade,
  id uuid not null default gen_random_uuid(),
  changed_at timestamptz not null default now(),
  action text not null,
  user_id uuid,
  api_key_id uuid,
  store_id uuid not null,
  source text not null,
  event_id text not null,
  recorded_at timestamptz not null,
  before jsonb not null,
  after jsonb,
  constraint event_changes_pkey primary key (org_id, id),
  constraint event_changes_action_check check (action in ('replaced', 'deleted')),
  constraint event_changes_after_check check ((action = 'deleted') = (after is null))
);
comment on table public.event_changes is
  'Events that were given other values or deleted after they had been counted: by whom, and what was there before. Never changed; goes with the raw events of its time';
comment on column public.event_changes.changed_at is 'When it was changed, and not when it was recorded at';
comment on column public.event_changes.action is 'replaced: given another metric, value, currency or dimensions; deleted';
comment on column public.event_changes.source is 'The source of the event';
comment on column public.event_changes.event_id is 'The id of the event that its sender gave';
comment on column public.event_changes.user_id is 'The user who did it; null where it was an API key';
comment on column public.event_changes.api_key_id is 'The API key that did it; no foreign key, since it stays when the key goes';
comment on column public.event_changes.before is 'The metric, value, currency and dimensions before; the value as text, exact';
comment on column public.event_changes.after is 'The same after; null where the event was deleted';
create index event_changes_org_id_changed_at_id_idx on public.event_changes (org_id, changed_at, id);

alter table public.event_changes enable row level security;
alter table public.event_changes force row level security;
create policy event_changes_owner on public.event_changes for all to tally_owner using (true) with check (true);
create policy event_changes_service on public.event_changes for select to service_role using (true);
create policy event_changes_select on public.event_changes for select to authenticated, tally_ingest
  using (
    org_id = (select app.org_id())
    and (select app.may_write_events())
    and ((select app.key_store_id()) is null or store_id = (select app.key_store_id()))
  );
create policy event_changes_insert on public.event_changes for insert to tally_ingest
  with check (
    org_id = (select app.org_id())
    and (select app.may_write_events())
    and ((select app.key_store_id()) is null or store_id = (select app.key_store_id()))
  );
grant select on public.event_changes to authenticated, tally_ingest, service_role;
grant insert on public.event_changes to tally_ingest;

-- Quarantine

alter table public.quarantined_events
  add column times bigint not null default 1,
  add column body_hash bytea,
  add column event jsonb,
  add constraint quarantined_events_times_check check (times >= 1);
update public.quarantined_events set body_hash = sha256(convert_to(body, 'UTF8'));
alter table public.quarantined_events
  alter column body_hash set not null,
  -- The same again is the same; of which store it is may be the key's to say and not the body's.
  add constraint quarantined_events_org_id_store_id_body_hash_key unique nulls not distinct (org_id, store_id, body_hash);
comment on column public.quarantined_events.received_at is 'When it came last';
comment on column public.quarantined_events.times is 'How often it came';
comment on column public.quarantined_events.body_hash is 'SHA-256 of the body: the same event rejected again is kept once';
comment on column public.quarantined_events.event is
  'What was read of it, where its form was good: id, metric, store_id or external_id, value, currency, recorded_at, source, dimensions. Null where nothing but sending it anew can help';
comment on column public.quarantined_events.replayed_at is 'When it was last replayed, and rejected again; null for never';
comment on table public.quarantined_events is
  'Rejected events with the reason, until they are replayed and counted, or discarded';

-- Written by app.quarantine_events, whoever may see the row that is there already.
drop policy quarantined_events_insert on public.quarantined_events;
revoke insert, update on public.quarantined_events from tally_ingest;
grant update (code, detail, replayed_at) on public.quarantined_events to tally_ingest;

-- As it was, but for its type's schema: definer functions ask it too, and a caller could have a type of that name.
create or replace function app.may_write_events() returns boolean
  language plpgsql stable parallel safe set search_path = ''
as $$
declare
  v_role constant pg_catalog.text := app.user_role();
begin
  return coalesce(
    v_role in ('owner', 'admin', 'member') or (v_role = 'api_key' and app.has_scope('events:write')), false
  );
end
$$;

-- What functions hand to one another

create type app.event_series as (
  number integer,
  store_id uuid,
  timezone text,
  source text,
  place bigint,
  metric_key text,
  currency text,
  dimensions jsonb,
  rollup_dimensions jsonb,
  rollup integer,
  code text
);
comment on type app.event_series is 'What events of a batch have in common, see app.event_series';

create type app.rollup_part as (
  sign integer,
  store_id uuid,
  timezone text,
  metric_key text,
  currency text,
  dimensions jsonb,
  quarter_hour timestamptz,
  day date,
  count bigint,
  sum numeric,
  min numeric,
  max numeric,
  latest numeric[],
  last_at timestamptz
);
comment on type app.rollup_part is
  'Events added up, all added (sign 1) or all taken away (-1); latest is the time of the last, in seconds since 1970, and its value';

-- The batch comes in another form.
drop function if exists api.ingest_events(text, text[], text[], text[], text[], text[], text[], text[], text[], text);

reset role;
