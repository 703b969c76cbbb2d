-- Definitions of their own only (the standard ones are the catalogue's to change), events of a month, and the rollups of them.

insert into public.metric_definitions (org_id, key, display_name, unit, aggregation_method, category, metadata)
values
  ('11111111-0000-4000-8000-000000000001', 'revenue', 'Revenue', 'currency', 'sum', 'sales', '{"rollup_dimensions": ["channel"]}'),
  ('11111111-0000-4000-8000-000000000001', 'latency', 'Latency', 'count', 'avg', 'service', '{}');

-- The functions of that time whose parameters or results are others today, or that are gone: a migration has to drop them.
-- What they did does not matter.
set role tally_owner;
create function api.ingest_events(
  p_authority text, p_ids text[], p_metrics text[], p_store_ids text[], p_values text[], p_currencies text[],
  p_recorded_at text[], p_sources text[], p_dimensions text[]
) returns text language sql return '';
create function api.provision_user(p_user_id uuid, p_organization_name text) returns text language sql return '';
create function api.access_token_claims(p_user_id uuid, p_organization_name text) returns text language sql return '';
create function app.member_claims(p_user_id uuid, p_org_id uuid, p_role public.org_role) returns jsonb
  language sql return '{}'::jsonb;
create function app.ensure_partition(p_month date) returns void language sql as '';
create function app.ensure_partitions() returns void language sql as '';
reset role;

-- As app.ensure_partition made it.
set role tally_owner;
create table partitions.metric_events_202601 (like public.metric_events including all);
alter table partitions.metric_events_202601 enable row level security;
alter table partitions.metric_events_202601 force row level security;
comment on table partitions.metric_events_202601 is 'metric_events of 2026-01';
alter table public.metric_events attach partition partitions.metric_events_202601
  for values from ('2026-01-01 00:00:00+00') to ('2026-02-01 00:00:00+00');
reset role;

insert into public.metric_events
  (org_id, store_id, source, event_id, recorded_at, metric_key, value, currency, dimensions)
values
  ('11111111-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000001', 'shopify', 'order-1',
   '2026-01-05T10:07:00Z', 'revenue', 129.90, 'USD', '{"channel": "web"}'),
  ('11111111-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000001', 'api', 'ping-1',
   '2026-01-05T10:08:00Z', 'latency', 12, null, '{}'),
  -- Into the default partition, which there was then.
  ('11111111-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000001', 'api', 'ping-0',
   '2025-12-31T10:08:00Z', 'latency', 11, null, '{}');

insert into public.metric_rollups
  (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions, count, sum, min, max)
values
  ('11111111-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000001', 'revenue', '15m',
   '2026-01-05T10:00:00Z', 'USD', '{"channel": "web"}', 1, 129.90, 129.90, 129.90),
  ('11111111-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000001', 'revenue', 'day',
   '2026-01-05T05:00:00Z', 'USD', '{"channel": "web"}', 1, 129.90, 129.90, 129.90),
  ('11111111-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000001', 'latency', '15m',
   '2025-12-31T10:00:00Z', '', '{}', 1, 11, 11, 11),
  ('11111111-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000001', 'latency', 'day',
   '2025-12-31T05:00:00Z', '', '{}', 1, 11, 11, 11),
  ('11111111-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000001', 'latency', '15m',
   '2026-01-05T10:00:00Z', '', '{}', 1, 12, 12, 12),
  ('11111111-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000001', 'latency', 'day',
   '2026-01-05T05:00:00Z', '', '{}', 1, 12, 12, 12);
