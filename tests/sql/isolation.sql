-- Two organizations, each with a store and an event: what does who see? As Supabase's `authenticated` with the claims that
-- PostgREST would set; the HTTP functions stand on the same policies and are tested in tests/it.

begin;
select plan(19);

-- Fixtures, by the code that makes them in production.
select app.provision_user('aaaaaaaa-0000-4000-8000-000000000001', 'Acme');
select app.provision_user('bbbbbbbb-0000-4000-8000-000000000001', 'Bolt');
insert into public.stores (org_id, workspace_id, name) select org_id, id, 'Store' from public.workspaces;
select app.ensure_partition('2026-10-01');
insert into public.metric_events (org_id, store_id, source, event_id, recorded_at, metric_key, value)
  select org_id, id, 'test', 'event', '2026-10-05', 'orders', 1 from public.stores;
insert into public.metric_rollups (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions, count, sum, min, max)
  select org_id, id, 'orders', 'day', '2026-10-05', '', '{}', 1, 1, 1, 1 from public.stores;
select app.create_api_key(org_id, 'key', array['metrics:read']) from public.workspaces;

create temporary table org as
  select slug, id, signup_user_id as owner from public.organizations where slug in ('acme', 'bolt');
grant select on org to public;

create function pg_temp.claim(p_slug text, p_role text) returns void language sql as $$
  select set_config(
    'request.jwt.claims',
    (select json_build_object('sub', owner, 'org_id', id, 'user_role', p_role)::text from org where slug = p_slug),
    true
  )
$$;

set local role authenticated;

-- Without claims, or with claims that name nobody, there is nothing.
select is_empty('select from public.organizations', 'no claims: no organizations');
select is_empty('select from public.metric_events', 'no claims: no events');
select set_config('request.jwt.claims', '{"org_id": "not a uuid", "user_role": "owner"}', true);
select is_empty('select from public.metric_events', 'malformed organization: no events');
select set_config('request.jwt.claims', '{"org_id": "cccccccc-0000-4000-8000-000000000001", "user_role": "owner"}', true);
select is_empty('select from public.stores', 'unknown organization: no stores');

-- The owner of Acme sees Acme's, table by table, and nothing of Bolt's.
select pg_temp.claim('acme', 'owner');
select results_eq('select slug from public.organizations', $$values ('acme')$$, 'owner: the own organization');
select results_eq('select count(*)::int from public.workspaces', 'values (1)', 'owner: the own workspace');
select results_eq('select org_id from public.stores', $$select id from org where slug = 'acme'$$, 'owner: the own store');
select results_eq('select org_id from public.metric_events', $$select id from org where slug = 'acme'$$, 'owner: the own event');
select results_eq('select org_id from public.metric_rollups', $$select id from org where slug = 'acme'$$, 'owner: the own rollup');
select results_eq('select count(id)::int from public.api_keys', 'values (1)', 'owner: the own key');
select throws_ok('select key_hash from public.api_keys', '42501', null, 'owner: not the hash of a key');
select throws_ok(
  $$insert into public.stores (org_id, workspace_id, name)
      select id, gen_random_uuid(), 'Stolen' from org where slug = 'bolt'$$,
  '42501', null, 'owner: no store in another organization'
);
select results_eq(
  $$with changed as (update public.stores set name = 'Mine' returning 1) select count(*)::int from changed$$,
  'values (1)', 'owner: an update without a condition reaches the own store only'
);
select throws_ok('delete from public.metric_events', '42501', null, 'owner: events are not deleted by hand');

select throws_ok(
  $$update public.organizations set feature_flags = '{"everything": true}'$$, '42501', null, 'owner: no feature flags by hand'
);
select throws_ok($$update public.organizations set plan_tier = 'enterprise'$$, '42501', null, 'owner: no plan by hand');

-- A viewer reads and does not write.
select pg_temp.claim('acme', 'viewer');
select results_eq('select count(*)::int from public.stores', 'values (1)', 'viewer: the own store');
select results_eq(
  $$with changed as (update public.stores set name = 'Mine' returning 1) select count(*)::int from changed$$,
  'values (0)', 'viewer: changes nothing'
);
select is_empty('select id from public.api_keys', 'viewer: no keys');

select * from finish();
rollback;
