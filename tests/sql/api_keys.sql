-- API keys as the role of /v1/api-keys reaches them: what the policies hold it to, whatever its function would do.

begin;
select plan(14);

select app.provision_user('aaaaaaaa-0000-4000-8000-000000000001', 'Acme');
select app.provision_user('bbbbbbbb-0000-4000-8000-000000000001', 'Bolt');
select app.create_api_key(id, 'key', array['metrics:read']) from public.organizations;
create temporary table org as select slug, id from public.organizations;
grant select on org to public;
create function pg_temp.org(p_slug text) returns uuid language sql as 'select id from org where slug = p_slug';
select set_config('test.authority', jsonb_build_object(
  'sub', 'aaaaaaaa-0000-4000-8000-000000000001', 'org_id', pg_temp.org('acme'), 'user_role', 'owner'
)::text, true);
select set_config('test.key', jsonb_build_object('api_key_hash', (
  select key_hash from public.api_keys where org_id = pg_temp.org('acme')
))::text, true);

-- A key in the name of a user and an organization.
create function pg_temp.make(p_slug text, p_user text, p_more text default '0') returns integer language sql as $$
  select changed(format(
    'insert into public.api_keys (org_id, id, name, key_hash, prefix, scopes, created_by)
       values (%L, gen_random_uuid(), ''new'', repeat(%L, 64), ''tally_'', ''{metrics:read}'', %L)',
    pg_temp.org(p_slug), p_more, p_user || '-0000-4000-8000-000000000001'
  ))
$$;

set local role tally_token_hook;
select is((select count(*) from public.api_keys), 0::bigint, 'sees none without an authority');
select throws_ok($$select pg_temp.make('acme', 'aaaaaaaa')$$, '42501', null, 'makes none without one');
select throws_ok(
  $$select app.assume_authority(current_setting('test.key'))$$, '42501', null, 'cannot act for a key'
);
select app.assume_authority(current_setting('test.authority'));
select results_eq('select org_id from public.api_keys', $$values (pg_temp.org('acme'))$$, 'sees those of the organization');
select throws_ok('select key_hash from public.api_keys', '42501', null, 'never a hash');
select is(pg_temp.make('acme', 'aaaaaaaa'), 1, 'makes a key');
select throws_ok($$select pg_temp.make('acme', 'bbbbbbbb', '1')$$, '42501', null, 'none in somebody else''s name');
select throws_ok($$select pg_temp.make('bolt', 'aaaaaaaa', '2')$$, '42501', null, 'none for another organization');
select is(changed('update public.api_keys set revoked_at = now()'), 2, 'revokes those of the organization');
select is(changed('update public.api_keys set revoked_at = null'), 0, 'a revoked key stays revoked');
select throws_ok($$update public.api_keys set name = 'x'$$, '42501', null, 'changes nothing else');
select throws_ok('delete from public.api_keys', '42501', null, 'deletes none');
reset role;

select is((select count(*) from public.api_keys where revoked_at is null), 1::bigint, 'nothing became of the other one''s');
select throws_ok(
  format('select app.create_api_key(%L, %L, %L, %L)', pg_temp.org('acme'), 'key', '{metrics:read}', gen_random_uuid()),
  'TH004', null, 'a store that is not there is told'
);

select * from finish();
rollback;
