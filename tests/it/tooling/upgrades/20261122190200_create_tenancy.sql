-- Two organizations, one user in both, and what they have.

insert into app.time_zones (name) values ('UTC'), ('America/New_York');

insert into public.organizations (id, name, slug, plan_tier, feature_flags, signup_user_id)
values
  ('11111111-0000-4000-8000-000000000001', 'Acme', 'acme', 'growth', '{"beta": true}', '11111111-0000-4000-8000-00000000000a'),
  ('11111111-0000-4000-8000-000000000002', 'Bolt', 'bolt', 'free', '{}', null);

insert into public.workspaces (org_id, id, name, slug)
values
  ('11111111-0000-4000-8000-000000000001', '22222222-0000-4000-8000-000000000001', 'Default', 'default'),
  ('11111111-0000-4000-8000-000000000002', '22222222-0000-4000-8000-000000000002', 'Default', 'default');

insert into public.stores (org_id, id, workspace_id, name, external_id, timezone, currency)
values
  ('11111111-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000001', '22222222-0000-4000-8000-000000000001',
   'Acme store', 'shop-1', 'America/New_York', 'USD'),
  ('11111111-0000-4000-8000-000000000002', '33333333-0000-4000-8000-000000000002', '22222222-0000-4000-8000-000000000002',
   'Bolt store', null, 'UTC', 'EUR');

insert into public.org_members (org_id, user_id, role)
values
  ('11111111-0000-4000-8000-000000000001', '11111111-0000-4000-8000-00000000000a', 'owner'),
  ('11111111-0000-4000-8000-000000000002', '11111111-0000-4000-8000-00000000000a', 'viewer');

insert into public.active_organizations (user_id, org_id)
values ('11111111-0000-4000-8000-00000000000a', '11111111-0000-4000-8000-000000000002');

insert into public.api_keys (org_id, name, key_hash, prefix, scopes, store_id, created_by)
values (
  '11111111-0000-4000-8000-000000000001', 'Shop', repeat('a', 64), 'tally_aaaaaa', '{events:write}',
  '33333333-0000-4000-8000-000000000001', '11111111-0000-4000-8000-00000000000a'
);
