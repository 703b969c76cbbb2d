-- Who belongs to an organization and to a workspace, and what that gives: claims that are true now, roles that nobody
-- takes above the own one, an owner who stays, managers of one workspace, the choice of an organization, keys. As
-- Supabase's `authenticated`, with the claims that PostgREST would set.

begin;
select plan(76);

-- Acme: 1 its founder, 2 another owner, 3 an admin, 4 a member, 5 a viewer who manages the workspace. Bolt: 6.
create function pg_temp.id(p_number integer) returns uuid language sql immutable
  return ('aaaaaaaa-0000-4000-8000-' || lpad(p_number::text, 12, '0'))::uuid;
select app.provision_user(pg_temp.id(1), 'Acme');
select app.provision_user(pg_temp.id(6), 'Bolt');
create temporary table org as select slug, id from public.organizations;
create function pg_temp.org(p_slug text) returns uuid language sql stable
  return (select id from org where slug = p_slug);
grant select on org to public;
insert into public.org_members (org_id, user_id, role) values
  (pg_temp.org('acme'), pg_temp.id(2), 'owner'), (pg_temp.org('acme'), pg_temp.id(3), 'admin'),
  (pg_temp.org('acme'), pg_temp.id(4), 'member'), (pg_temp.org('acme'), pg_temp.id(5), 'viewer');
insert into public.workspaces (org_id, name, slug) values (pg_temp.org('acme'), 'Other', 'other');
insert into public.stores (org_id, workspace_id, name) select org_id, id, slug from public.workspaces;
insert into public.workspace_members (org_id, workspace_id, user_id, role)
  select org_id, id, pg_temp.id(5), 'admin'
  from public.workspaces
  where org_id = pg_temp.org('acme') and slug = 'default';
select app.create_api_key(pg_temp.org('acme'), 'key', array['events:write', 'metrics:read']);
select set_config('test.hash', (select key_hash from public.api_keys), true);

create function pg_temp.token(p_person integer, p_role text) returns text language sql as $$
  select jsonb_strip_nulls(
    jsonb_build_object('sub', pg_temp.id(p_person), 'org_id', pg_temp.org('acme'), 'user_role', p_role)
  )::text
$$;
create function pg_temp.claim(p_person integer, p_role text) returns text language sql as $$
  select set_config('request.jwt.claims', pg_temp.token(p_person, p_role), true)
$$;
-- Whether claims come to this role in Acme, and this user.
create function pg_temp.claims_are(p_claims text, p_role text, p_user_id uuid, p_description text) returns text
  language sql
as $$
  select set_config('request.jwt.claims', p_claims, true);
  select is(
    row (app.org_id(), app.user_role(), app.user_id())::text,
    row (case when p_role is not null then pg_temp.org('acme') end, p_role, p_user_id)::text, p_description
  );
$$;

create function pg_temp.add(p_person integer, p_role text, p_slug text default 'acme') returns integer
  language sql
as $$
  select changed(format(
    'insert into public.org_members (org_id, user_id, role) values (%L, %L, %L)',
    pg_temp.org(p_slug), pg_temp.id(p_person), p_role
  ))
$$;
create function pg_temp.change(p_person integer, p_role text) returns integer language sql as $$
  select changed(
    format('update public.org_members set role = %L where user_id = %L', p_role, pg_temp.id(p_person))
  )
$$;
create function pg_temp.remove(p_person integer) returns integer language sql as $$
  select changed(format('delete from public.org_members where user_id = %L', pg_temp.id(p_person)))
$$;
create function pg_temp.add_to_workspace(p_person integer, p_slug text) returns integer language sql as $$
  select changed(format(
    'insert into public.workspace_members (org_id, workspace_id, user_id)
       select org_id, id, %L from public.workspaces where slug = %L',
    pg_temp.id(p_person), p_slug
  ))
$$;
create function pg_temp.open_store(p_slug text) returns integer language sql as $$
  select changed(format(
    'insert into public.stores (org_id, workspace_id, name)
       select org_id, id, ''New'' from public.workspaces where slug = %L', p_slug
  ))
$$;
-- As PostgREST's upsert does.
create function pg_temp.choose(p_person integer, p_slug text) returns integer language sql as $$
  select changed(format(
    'insert into public.active_organizations (user_id, org_id) values (%L, %L)
       on conflict (user_id) do update set user_id = excluded.user_id, org_id = excluded.org_id',
    pg_temp.id(p_person), pg_temp.org(p_slug)
  ))
$$;

set local role authenticated;

-- What counts of a token

select pg_temp.claims_are(null, null, null, 'no claims');
select pg_temp.claims_are('', null, null, 'empty claims');
select pg_temp.claims_are('{}', null, null, 'claims without anything');
select pg_temp.claims_are(document, null, null, 'claims that are no object: ' || document)
from unnest(array['[]', 'null', '7', '"text"', '[{"sub": "x"}]']) as document;
select set_config('request.jwt.claims', 'not json', true);
select throws_ok('select app.org_id()', '22P02', null, 'what is no JSON is an error');
select pg_temp.claims_are('{"sub": "x", "org_id": "y", "user_role": "owner"}', null, null, 'malformed ids');
select pg_temp.claims_are('{"sub": ["x"], "org_id": {"id": "y"}, "user_role": 7}', null, null, 'other types');

select pg_temp.claims_are(pg_temp.token(4, 'member'), 'member', pg_temp.id(4), 'a member');
select pg_temp.claims_are(upper(pg_temp.token(4, 'member')), null, null, 'claims by other names');
select pg_temp.claims_are(pg_temp.token(4, 'owner'), 'member', pg_temp.id(4), 'no more than the membership says');
select pg_temp.claims_are(pg_temp.token(1, 'viewer'), 'viewer', pg_temp.id(1), 'no more than the token says');
select pg_temp.claims_are(pg_temp.token(6, 'owner'), null, pg_temp.id(6), 'no member of the organization of the token');
select pg_temp.claims_are(pg_temp.token(4, null), null, pg_temp.id(4), 'a token without a role makes no member');
select pg_temp.claims_are(pg_temp.token(4, 'superuser'), null, pg_temp.id(4), 'nor does a role that is unknown');
select pg_temp.claims_are(
  jsonb_set(pg_temp.token(4, 'api_key')::jsonb - 'sub', '{scopes}', '["events:write"]')::text, null, null,
  'nobody is an API key by saying so'
);
select is(app.may_write_events() or app.may_read_metrics() or app.has_scope('events:write'), false, 'nor has scopes');

-- What app.assume_authority checked counts as it is, and in its own words only

reset role;
set local role tally_ingest;
select app.assume_authority(jsonb_build_object('api_key_hash', current_setting('test.hash'))::text);
select is(app.user_role() || app.may_write_events()::text, 'api_keytrue', 'a key is a key once it is looked up');
select is(app.org_id(), pg_temp.org('acme'), 'of its organization');
select set_config('request.jwt.claims', jsonb_set(app.claims(), '{org_id}', to_jsonb(pg_temp.org('bolt')))::text, true);
select is(app.org_id(), null, 'other words are not checked ones');
select throws_ok(
  format('select app.assume_authority(%L)', pg_temp.token(6, 'owner')), 'TH002', null, 'no authority as a stranger'
);
select throws_ok(format('select app.assume_authority(%L)', document), 'TH002', null, 'no authority from ' || document)
from unnest(array['{}', '[]', 'null', '{"sub": "x", "org_id": "y", "user_role": "owner"}']) as document;
select throws_ok('select app.assume_authority(null)', 'TH002', null, 'no authority from nothing');
select throws_ok(format('select app.assume_authority(%L)', document), 'TH001', null, 'no key: ' || document)
from unnest(array['["api_key_hash"]', '{"api_key_hash": null}', '{"api_key_hash": {"a": 1}}']) as document;
reset role;
set local role authenticated;

-- Members of an organization

select pg_temp.claim(3, 'admin');
select throws_ok($$select pg_temp.add(7, 'owner')$$, '42501', null, 'admin: makes no owner');
select is(pg_temp.add(7, 'admin'), 1, 'admin: makes an admin');
select throws_ok($$select pg_temp.add(7, 'viewer', 'bolt')$$, '42501', null, 'admin: makes no member elsewhere');
select throws_ok($$select pg_temp.change(3, 'owner')$$, '42501', null, 'admin: is not owner by itself');
select is(pg_temp.change(2, 'viewer'), 0, 'admin: demotes no owner');
select is(pg_temp.remove(2), 0, 'admin: removes no owner');
select is(pg_temp.remove(7), 1, 'admin: removes an admin');
select pg_temp.claim(4, 'member');
select is(changed($$update public.org_members set role = 'admin'$$), 0, 'member: changes nobody');
select pg_temp.claim(4, 'owner');
select is(changed($$update public.org_members set role = 'admin'$$), 0, 'nor with an owner''s token');
select is(changed('delete from public.org_members'), 1, 'member: leaves, and takes nobody along');
select is_empty('select from public.organizations', 'who left sees nothing any more, with the same token');

-- The last owner

select pg_temp.claim(1, 'owner');
select is(pg_temp.change(2, 'viewer'), 1, 'owner: demotes another owner');
select throws_ok($$select pg_temp.change(1, 'admin')$$, 'TH009', null, 'the last owner is not demoted');
select throws_ok('select pg_temp.remove(1)', 'TH009', null, 'nor does it leave');
select is(
  changed(format(
    'update public.org_members
       set role = case when user_id = %1$L then ''owner'' else ''member'' end::public.org_role
       where user_id in (%1$L, %2$L)', pg_temp.id(2), pg_temp.id(1)
  )),
  2, 'two may change places in one statement'
);

-- A workspace's own managers

select pg_temp.claim(5, 'viewer');
set local role tally_ingest;
select throws_ok('select app.charge_ingestion(1, 1)', 'TH003', null, 'viewer: uses up nothing of what may be sent');
set local role authenticated;
select is(changed($$update public.workspaces set name = 'Mine'$$), 1, 'workspace admin: renames only the own');
select is(changed($$update public.stores set name = 'Mine'$$), 1, 'workspace admin: changes its stores only');
select throws_ok(
  $$update public.stores set workspace_id = (select id from public.workspaces where slug = 'other')$$, '42501', null,
  'workspace admin: moves no store to another workspace'
);
select is(pg_temp.open_store('default'), 1, 'workspace admin: opens a store');
select throws_ok($$select pg_temp.open_store('other')$$, '42501', null, 'workspace admin: opens none elsewhere');
select is((select count(*)::integer from public.stores), 3, 'workspace admin: sees all stores of the organization');
select is(pg_temp.add_to_workspace(3, 'default'), 1, 'workspace admin: adds a member to the workspace');
select throws_ok(
  $$select pg_temp.add_to_workspace(3, 'other')$$, '42501', null, 'workspace admin: adds none elsewhere'
);
select throws_ok(
  $$select pg_temp.add_to_workspace(6, 'default')$$, '23503', null, 'workspace admin: adds nobody from outside'
);
select is(changed('delete from public.workspaces'), 0, 'workspace admin: deletes no workspace');
select pg_temp.claim(3, 'admin');
select is(pg_temp.remove(5), 1, 'admin: removes the workspace''s admin from the organization');
select is((select array_agg(user_id) from public.workspace_members), array[pg_temp.id(3)], 'and so from the workspace');

-- The chosen organization

reset role;
select pg_temp.add(3, 'viewer', 'bolt');
set local role authenticated;
select pg_temp.claim(3, 'admin');
select results_eq(
  'select org_id from public.org_members where user_id = app.user_id() order by (org_id = app.org_id()) desc',
  'select id from org order by slug', 'a user sees its memberships elsewhere'
);
select is(pg_temp.choose(3, 'acme'), 1, 'a user chooses an organization');
select is(pg_temp.choose(3, 'bolt'), 1, 'and then another');
select throws_ok($$select pg_temp.choose(2, 'acme')$$, '42501', null, 'but for nobody else');
select pg_temp.claim(2, 'owner');
select throws_ok($$select pg_temp.choose(2, 'bolt')$$, '23503', null, 'and none without a membership');

-- Keys

select is(changed($$update public.api_keys set name = 'Old', revoked_at = now()$$), 1, 'owner: revokes a key');
select is(changed('update public.api_keys set revoked_at = null'), 0, 'owner: a revoked key stays revoked');
select throws_ok('select key_hash from public.api_keys', '42501', null, 'owner: not the hash of a key');
select is(changed('delete from public.api_keys'), 1, 'owner: deletes a key');

-- What the product gives, and when things changed

select throws_ok(
  $$update public.organizations set feature_flags = '{"everything": true}'$$, '42501', null, 'owner: no feature by hand'
);
select throws_ok(
  $$update public.organizations set plan_tier = 'enterprise'$$, '42501', null, 'owner: no plan by hand'
);
select throws_ok(
  $$update public.organizations set white_label_config = jsonb_build_object('logo', repeat('x', 65536))$$, '23514', null,
  'owner: no configuration without end'
);
reset role;
alter table public.organizations disable trigger organizations_touch_updated_at;
update public.organizations set updated_at = '2020-01-01';
alter table public.organizations enable trigger organizations_touch_updated_at;
set local role authenticated;
select is(changed($$update public.organizations set name = 'Acme & Sons'$$), 1, 'owner: renames it');
select is((select updated_at from public.organizations), now(), 'which says when');

-- An organization goes with all that is in it, its last owner too

reset role;
set local role service_role;
select lives_ok(format('delete from public.organizations where id = %L', pg_temp.org('acme')), 'an organization goes');
reset role;
select is_empty(
  format(
    'select from public.org_members where org_id = %1$L
     union all select from public.workspace_members where org_id = %1$L
     union all select from public.stores where org_id = %1$L
     union all select from public.active_organizations where org_id = %1$L', pg_temp.org('acme')
  ),
  'with all that is in it'
);

select * from finish();
rollback;
