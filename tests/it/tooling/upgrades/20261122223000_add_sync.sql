-- A connection, a job under way and one that waits.

insert into public.integration_connections (org_id, id, store_id, provider, display_name, settings)
values (
  '11111111-0000-4000-8000-000000000001', '44444444-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000001',
  'shopify', 'Shop', '{"region": "us"}'
);

insert into public.sync_jobs (org_id, connection_id, stream, status, cursor, worker, lease_token, lease, heartbeat_at, started_at)
values
  ('11111111-0000-4000-8000-000000000001', '44444444-0000-4000-8000-000000000001', 'orders', 'running', '{"page": 7}',
   'worker-1', '55555555-0000-4000-8000-000000000001', '1 minute', now(), now()),
  ('11111111-0000-4000-8000-000000000001', '44444444-0000-4000-8000-000000000001', 'refunds', 'pending', null,
   null, null, null, null, null);
