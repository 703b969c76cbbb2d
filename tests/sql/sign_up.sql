-- Sign-up and tokens inside the database: the trigger on auth.users, Supabase's custom access token hook, and what both
-- share with the HTTP hooks. What needs several connections is in tests/it/tooling/supabase.rs.

begin;
select plan(61);

-- The name of an organization.
select is(app.organization_name('{"company": "Acme", "full_name": "Wile E."}', 'w@x.org'), 'Acme', 'the company first');
select is(app.organization_name('{"company": " ", "company_name": "Bolt", "organization": "Acme"}', null), 'Bolt', 'the first that is filled in');
select is(app.organization_name('{"organization_name": "Acme"}', null), 'Acme', 'under any of its names');
select is(app.organization_name('{"name": "Wile", "full_name": "Wile E."}', 'w@x.org'), 'Wile E.''s organization', 'then the person');
select is(app.organization_name('{}', 'wile@Acme.co.example'), 'acme.co.example', 'then the host of the address');
select is(app.organization_name('{}', 'wile@' || host), 'wile''s organization', 'then the mailbox: ' || host)
from unnest('{gmail.com,Outlook.com,yahoo.co.uk,gmx.de,qq.com,privaterelay.appleid.com,localhost,192.0.2.1}'::text[]) as hosts (host);
select is(app.organization_name(null, null), 'My organization', 'then anybody''s');
select is(app.organization_name('{"company": 7, "name": ["x"]}', '@'), 'My organization', 'what is no text is no name');
select is(app.organization_name('[{"company": "Acme"}]', 'no address'), 'My organization', 'nor is what is no object, or no address');
select is(app.organization_name('"Acme"', null), 'My organization', 'nor a bare text');
select is(
  app.organization_name(E'{"company": " \\u00a0A\\u0001c\\u0085me\\n\\u3000 "}', null), 'Acme',
  'without control characters and outer spaces'
);
select is(app.organization_name(E'{"company": "\\u0007 \\t"}', null), 'My organization', 'of which nothing is left');
select is(
  app.organization_name(jsonb_build_object('company', repeat('é', 500)), null), repeat('é', 200), 'no longer than the table takes'
);

-- Who may call what.
create function pg_temp.may(p_function regprocedure) returns text language sql as $$
  select coalesce(string_agg(r.rolname, ', ' order by r.rolname), '')
  from pg_roles r
  where has_function_privilege(r.oid, p_function, 'execute') and not r.rolsuper
    and r.rolname in (
      'anon', 'authenticated', 'service_role', 'supabase_auth_admin',
      'tally_provision', 'tally_token_hook', 'tally_ingest', 'tally_query'
    )
$$;
select is(pg_temp.may('public.custom_access_token_hook(jsonb)'), 'supabase_auth_admin', 'the hook is the provider''s alone');
select is(pg_temp.may('public.handle_new_user()'), '', 'the trigger function is nobody''s');
select is(pg_temp.may('app.ensure_access_token_claims(uuid, text, jsonb, boolean)'), '', 'and so is what is beneath');
select is(pg_temp.may('app.provision_user(uuid, text)'), '', 'provisioning');
select is(pg_temp.may('app.access_token_claims(uuid)'), '', 'and claims');
select is(pg_temp.may('api.provision_user(uuid, text, text)'), 'tally_provision', 'each HTTP function has its own');
select is(pg_temp.may('api.access_token_claims(uuid, text, text, boolean)'), 'tally_token_hook', 'and no other');

-- A sign-up, as the provider makes it.
set local role supabase_auth_admin;
insert into auth.users (id, email, raw_user_meta_data)
values ('aaaaaaaa-0000-4000-8000-000000000001', 'wile@acme.example', '{"company": "Acme Inc."}');
insert into auth.users (id, is_anonymous) values ('aaaaaaaa-0000-4000-8000-000000000002', true);
insert into auth.users (id, raw_user_meta_data) values ('aaaaaaaa-0000-4000-8000-000000000003', '[1]');
reset role;
select results_eq(
  $$select o.name, o.slug, o.plan_tier::text, w.name, w.slug, m.role::text
    from public.organizations o join public.workspaces w on w.org_id = o.id join public.org_members m on m.org_id = o.id
    where m.user_id = 'aaaaaaaa-0000-4000-8000-000000000001'$$,
  $$values ('Acme Inc.', 'acme-inc', 'free', 'Default', 'default', 'owner')$$,
  'a sign-up makes organization, workspace and ownership'
);
select is_empty(
  $$select from public.org_members where user_id = 'aaaaaaaa-0000-4000-8000-000000000002'$$, 'an anonymous user gets none'
);
select results_eq(
  $$select o.name from public.organizations o where signup_user_id = 'aaaaaaaa-0000-4000-8000-000000000003'$$,
  $$values ('My organization')$$, 'odd metadata is none'
);
select is_empty('select from app.provisioning_failures', 'nothing failed');
savepoint old_provider;
alter table auth.users drop column is_anonymous;
insert into auth.users (id) values ('aaaaaaaa-0000-4000-8000-000000000004');
select isnt_empty(
  $$select from public.org_members where user_id = 'aaaaaaaa-0000-4000-8000-000000000004'$$,
  'a provider that knows no anonymous users has none'
);
rollback to old_provider;
set local role tally_provision;
select is(
  api.provision_user('aaaaaaaa-0000-4000-8000-000000000001', 'wile@acme.example', '{"company": "Acme Inc."}'),
  '{"created": false}', 'told again over HTTP, nothing is made'
);
reset role;
select is((select count(*) from public.organizations), 2::bigint, 'so there are two');

-- The token hook.
create function pg_temp.token(p_user_id uuid, p_claims jsonb) returns jsonb language sql as $$
  select public.custom_access_token_hook(jsonb_build_object(
    'metadata', jsonb_build_object('name', 'customize-access-token'),
    'user_id', p_user_id, 'claims', p_claims, 'authentication_method', 'password'
  ))
$$;
create function pg_temp.claims_of(p_user_id uuid) returns jsonb language sql as $$
  select jsonb_build_object('org_id', m.org_id, 'user_role', m.role) from public.org_members m where m.user_id = p_user_id
$$;
create temporary table expected as
  select pg_temp.claims_of('aaaaaaaa-0000-4000-8000-000000000001') as acme;
grant select on expected to supabase_auth_admin;

set local role supabase_auth_admin;
select is(
  pg_temp.token('aaaaaaaa-0000-4000-8000-000000000001', '{
    "iss": "https://id/auth/v1", "sub": "aaaaaaaa-0000-4000-8000-000000000001", "aud": ["authenticated"],
    "exp": 1715690221, "iat": 1715686621, "email": "wile@acme.example", "phone": "", "role": "authenticated",
    "app_metadata": {"provider": "email"}, "user_metadata": {}, "aal": "aal1", "is_anonymous": false,
    "amr": [{"method": "password", "timestamp": 1715686621}], "session_id": "x", "plan": [1.50, null, "é"]
  }'),
  jsonb_build_object('claims', '{
    "iss": "https://id/auth/v1", "sub": "aaaaaaaa-0000-4000-8000-000000000001", "aud": ["authenticated"],
    "exp": 1715690221, "iat": 1715686621, "email": "wile@acme.example", "phone": "", "role": "authenticated",
    "app_metadata": {"provider": "email"}, "user_metadata": {}, "aal": "aal1", "is_anonymous": false,
    "amr": [{"method": "password", "timestamp": 1715686621}], "session_id": "x", "plan": [1.50, null, "é"]
  }'::jsonb || (select acme from expected)),
  'the organization goes in and every other claim stays'
);
select is(
  pg_temp.token('aaaaaaaa-0000-4000-8000-000000000002', '{"sub": "s", "is_anonymous": true, "org_id": "x", "user_role": "owner"}'),
  '{"claims": {"sub": "s", "is_anonymous": true}}', 'an anonymous user has none, whatever came in'
);
reset role;
select is_empty(
  $$select from public.organizations where signup_user_id = 'aaaaaaaa-0000-4000-8000-000000000002'$$, 'and is given none'
);
set local role supabase_auth_admin;
select ok(
  pg_temp.token('bbbbbbbb-0000-4000-8000-000000000001', '{"email": "b@bolt.example", "user_metadata": {"company": "Bolt"}}')
    #>> '{claims,org_id}' is not null,
  'a user never seen is provisioned'
);
reset role;
select is(
  (select name from public.organizations where signup_user_id = 'bbbbbbbb-0000-4000-8000-000000000001'), 'Bolt',
  'under the name that the claims give'
);
set local role tally_token_hook;
select is(
  api.access_token_claims('aaaaaaaa-0000-4000-8000-000000000001', null, null, true)::jsonb
    - 'org_id', '{"user_role": "owner"}', 'the HTTP hook says the same'
);
select is(api.access_token_claims('aaaaaaaa-0000-4000-8000-000000000002', null, '{}', false), '{}', 'of the anonymous too');
reset role;

-- Which organization: the earliest joined, until another is chosen, and never one that is left.
insert into public.org_members (org_id, user_id, role)
select id, 'aaaaaaaa-0000-4000-8000-000000000001', 'viewer'
from public.organizations
where signup_user_id = 'bbbbbbbb-0000-4000-8000-000000000001';
update public.org_members set joined_at = now() - interval '1 day'
where user_id = 'aaaaaaaa-0000-4000-8000-000000000001' and role = 'owner';
select is(
  pg_temp.token('aaaaaaaa-0000-4000-8000-000000000001', '{}'), jsonb_build_object('claims', (select acme from expected)),
  'the earliest joined'
);
insert into public.active_organizations (user_id, org_id)
select user_id, org_id from public.org_members
where user_id = 'aaaaaaaa-0000-4000-8000-000000000001' and role = 'viewer';
select is(
  pg_temp.token('aaaaaaaa-0000-4000-8000-000000000001', '{}') #>> '{claims,user_role}', 'viewer', 'the one that was chosen'
);
delete from public.org_members where user_id = 'aaaaaaaa-0000-4000-8000-000000000001' and role = 'viewer';
select is(
  pg_temp.token('aaaaaaaa-0000-4000-8000-000000000001', '{}'), jsonb_build_object('claims', (select acme from expected)),
  'the earliest again when the chosen one is left'
);
-- An organization keeps an owner, so another one comes first.
insert into public.org_members (org_id, user_id, role)
select (acme ->> 'org_id')::uuid, 'aaaaaaaa-0000-4000-8000-000000000009', 'owner' from expected;
delete from public.org_members where user_id = 'aaaaaaaa-0000-4000-8000-000000000001';
select is(
  pg_temp.token('aaaaaaaa-0000-4000-8000-000000000001', '{"org_id": "x", "user_role": "owner", "sub": "s"}'),
  '{"claims": {"sub": "s"}}', 'and none when all are left: a membership that was taken away is not given back'
);

-- What is no event.
select is(
  public.custom_access_token_hook(event) #>> '{error,http_code}', '400', 'no event: ' || coalesce(event::text, 'null')
)
from (values
  (null::jsonb), ('{}'), ('[]'), ('"x"'), ('{"user_id": 7, "claims": {}}'), ('{"user_id": null, "claims": {}}'),
  ('{"user_id": "aaaaaaaa-0000-4000-8000-000000000001"}'),
  ('{"user_id": "aaaaaaaa-0000-4000-8000-000000000001", "claims": null}')
) as events (event);

-- Provisioning that fails: the sign-up goes on, it is kept, and the next token makes it good.
set local client_min_messages = error;
alter table public.organizations add constraint organizations_test_check check (false) not valid;
set local role supabase_auth_admin;
select lives_ok(
  $$insert into auth.users (id, email) values ('cccccccc-0000-4000-8000-000000000001', 'c@x.org')$$, 'the sign-up goes on'
);
select is(
  pg_temp.token('cccccccc-0000-4000-8000-000000000001', '{"sub": "s", "email": "c@x.org"}'), '{"claims": {"sub": "s", "email": "c@x.org"}}',
  'a token too, without an organization'
);
reset role;
select results_eq(
  'select user_id, sqlstate, attempts, message, resolved_at from app.provisioning_failures',
  $$values ('cccccccc-0000-4000-8000-000000000001'::uuid, '23514', 2::bigint,
    'new row for relation "organizations" violates check constraint "organizations_test_check"', null::timestamptz)$$,
  'both failures are kept'
);
alter table public.organizations drop constraint organizations_test_check;
select is(
  pg_temp.token('cccccccc-0000-4000-8000-000000000001', '{"email": "c@x.org"}') #>> '{claims,user_role}', 'owner',
  'the next token makes it good'
);
select isnt((select resolved_at from app.provisioning_failures), null, 'and says so');

-- A statement that is cancelled while it provisions.
create function pg_temp.dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(5); return new; end $$;
create trigger organizations_test before insert on public.organizations for each row execute function pg_temp.dawdle();
set local statement_timeout = '100ms';
insert into auth.users (id, email) values ('cccccccc-0000-4000-8000-000000000002', 'c2@x.org');
set local statement_timeout = 0;
drop trigger organizations_test on public.organizations;
select results_eq(
  $$select sqlstate from app.provisioning_failures where user_id = 'cccccccc-0000-4000-8000-000000000002'$$,
  $$values ('57014')$$, 'a cancelled provisioning is a failed one'
);
select is((select count(*) from auth.users where id = 'cccccccc-0000-4000-8000-000000000002'), 1::bigint, 'and the sign-up stands');

-- Not even that it cannot be kept fails a sign-up.
alter table public.organizations add constraint organizations_test_check check (false) not valid;
alter table app.provisioning_failures add constraint provisioning_failures_test_check check (false) not valid;
insert into auth.users (id, email) values ('cccccccc-0000-4000-8000-000000000003', 'c3@x.org');
select is((select count(*) from auth.users where id = 'cccccccc-0000-4000-8000-000000000003'), 1::bigint, 'what cannot be kept fails nothing');

select * from finish();
rollback;
