-- A member of a workspace, and an event that was refused.

insert into public.workspace_members (org_id, workspace_id, user_id, role)
values (
  '11111111-0000-4000-8000-000000000002', '22222222-0000-4000-8000-000000000002', '11111111-0000-4000-8000-00000000000a',
  'admin'
);

insert into public.quarantined_events (org_id, store_id, source, event_id, metric_key, code, detail, body)
values (
  '11111111-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000001', 'shopify', 'order-2', 'revenu',
  'unknown_metric', 'There is no metric "revenu".', '{"id": "order-2"}'
);
