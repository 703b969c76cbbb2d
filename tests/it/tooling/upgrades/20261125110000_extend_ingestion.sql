-- An organization that sent events this month, and one of them deleted.

insert into app.ingest_usage (org_id, slot, minute, minute_events, month, month_events)
values ('11111111-0000-4000-8000-000000000001', 3, '2026-11-25T10:00:00Z', 12, '2026-11-01', 3000);

insert into public.event_changes (org_id, action, user_id, store_id, source, event_id, recorded_at, before)
values (
  '11111111-0000-4000-8000-000000000001', 'deleted', '11111111-0000-4000-8000-00000000000a',
  '33333333-0000-4000-8000-000000000001', 'shopify', 'order-3', '2026-11-20T10:00:00Z',
  '{"metric": "revenue", "value": "1.00", "currency": "USD", "dimensions": {}}'
);
