-- Credentials of integrations, stored both ways: encrypted here with pgcrypto, which is real, and in Supabase Vault, for which a
-- schema of the same form stands in, since its extension needs a server made for it.

begin;
select plan(62);

select app.provision_user('aaaaaaaa-0000-4000-8000-000000000001', 'Acme');
select app.provision_user('bbbbbbbb-0000-4000-8000-000000000001', 'Bolt');
insert into public.stores (org_id, workspace_id, name) select org_id, id, 'Store' from public.workspaces;
insert into public.integration_connections (org_id, store_id, provider, display_name)
  select s.org_id, s.id, p.provider, 'Account' from public.stores s, unnest(array['shopify', 'stripe', 'meta_ads']) as p(provider);
create temporary table connection as
  select o.slug || '/' || c.provider as name, c.org_id, c.id
  from public.integration_connections c
  join public.organizations o on o.id = c.org_id;
grant select on connection to public;

create function pg_temp.key(p_letter text) returns text language sql immutable return repeat(p_letter, 32);
create function pg_temp.store(p_name text, p_credential text, p_key text default null) returns uuid language sql as
  'select private.store_integration_credential(org_id, id, p_credential, p_key) from connection where name = p_name';
create function pg_temp.get(p_name text, p_key text default null) returns text language sql as
  'select private.get_integration_credential(org_id, id, p_key) from connection where name = p_name';
create function pg_temp.remove(p_name text) returns void language sql as
  'select private.delete_integration_credential(org_id, id) from connection where name = p_name';
-- A connection, and where its credential is.
create function pg_temp.row(p_name text) returns public.integration_connections language sql stable as $$
  select i from public.integration_connections i join connection c on c.org_id = i.org_id and c.id = i.id where c.name = p_name
$$;

-- ---------------------------------------------------------------------------------------------------------------------
-- Who may

select is(
  (
    select string_agg(concat_ws(' ', r.rolname, p.proname), ', ' order by r.rolname, p.proname)
    from pg_proc p, unnest(array['anon', 'authenticated', 'service_role', 'tally_provision', 'tally_token_hook', 'tally_ingest',
      'tally_query']) as r(rolname)
    where p.pronamespace = 'private'::regnamespace
      and has_schema_privilege(r.rolname, 'private', 'usage') and has_function_privilege(r.rolname, p.oid, 'execute')
  ),
  'service_role delete_integration_credential, service_role get_integration_credential, '
    'service_role rotate_integration_credentials, service_role store_integration_credential',
  'service_role has four functions, and nobody else has any'
);
set local role service_role;
select throws_ok('select from private.integration_secrets', '42501', null, 'service_role: not the table');
select throws_ok(
  'update public.integration_connections set vault_secret_id = gen_random_uuid()', '42501', null, 'service_role: no secret by hand'
);
reset role;
set local role authenticated;
select throws_ok($$select pg_temp.get('acme/shopify')$$, '42501', null, 'authenticated: nothing');
reset role;

-- ---------------------------------------------------------------------------------------------------------------------
-- With pgcrypto

set local role service_role;
select throws_ok($$select pg_temp.store('acme/shopify', 'secret')$$, 'TH011', null, 'a key is needed');
select throws_ok($$select pg_temp.store('acme/shopify', 'secret', repeat('a', 31))$$, 'TH011', null, 'of 32 characters');
select throws_ok($$select pg_temp.store('acme/shopify', null, pg_temp.key('a'))$$, '22023', null, 'a credential is needed');
select throws_ok($$select pg_temp.store('acme/shopify', '', pg_temp.key('a'))$$, '22023', null, 'and has to be something');
select throws_ok(
  $$select pg_temp.store('acme/shopify', repeat('x', 65537), pg_temp.key('a'))$$, '22023', null, 'and not larger than 64 KiB'
);
select throws_ok(
  $$select private.store_integration_credential(gen_random_uuid(), id, 'secret', pg_temp.key('a')) from connection$$, 'TH013', null,
  'no credential of no connection'
);
select throws_ok(
  $$select private.store_integration_credential(b.org_id, a.id, 'secret', pg_temp.key('a')) from connection a, connection b
      where a.name = 'acme/shopify' and b.name = 'bolt/shopify'$$, 'TH013', null, 'nor of another organization''s'
);
select throws_ok($$select pg_temp.get('acme/shopify', pg_temp.key('a'))$$, 'TH013', null, 'nothing is stored yet');
select throws_ok($$select pg_temp.remove('acme/shopify')$$, 'TH013', null, 'so there is nothing to remove');

select lives_ok($$select pg_temp.store('acme/shopify', E'first\n''$1 ☃', pg_temp.key('a'))$$, 'it is stored');
select is(pg_temp.get('acme/shopify', pg_temp.key('a')), E'first\n''$1 ☃', 'and found');
select throws_ok($$select pg_temp.get('acme/shopify')$$, 'TH011', null, 'not without a key');
select throws_ok($$select pg_temp.get('acme/shopify', pg_temp.key('b'))$$, 'TH012', null, 'not with another key');
select throws_ok(
  $$select private.get_integration_credential(b.org_id, a.id, pg_temp.key('a')) from connection a, connection b
      where a.name = 'acme/shopify' and b.name = 'bolt/shopify'$$, 'TH013', null, 'not for another organization'
);
select ok((pg_temp.row('acme/shopify')).has_credential, 'the connection says that it has one');
select is(
  pg_temp.store('acme/shopify', 'second', pg_temp.key('b')), (pg_temp.row('acme/shopify')).vault_secret_id, 'it is replaced in its place'
);
select is(pg_temp.get('acme/shopify', pg_temp.key('b')), 'second', 'under the new key');
select pg_temp.store('acme/stripe', repeat('x', 65536), pg_temp.key('b'));
select is(pg_temp.get('acme/stripe', pg_temp.key('b')), repeat('x', 65536), 'also 64 KiB of it');

-- A connection without authorization has it again.
update public.integration_connections set status = 'error', last_error_type = 'authorization', last_error_at = now()
  where id = (pg_temp.row('acme/shopify')).id;
select pg_temp.store('acme/shopify', 'second', pg_temp.key('b'));
select is((pg_temp.row('acme/shopify')).status, 'active', 'a new credential ends an error of authorization');
update public.integration_connections set status = 'error', last_error_type = 'configuration'
  where id = (pg_temp.row('acme/shopify')).id;
select pg_temp.store('acme/shopify', 'second', pg_temp.key('b'));
select is((pg_temp.row('acme/shopify')).status, 'error', 'but none of configuration');
reset role;

select is(
  (select count(*) from private.integration_secrets s
    where s::text like '%second%' or position('second'::bytea in s.ciphertext) > 0 or position('bbbb'::bytea in s.ciphertext) > 0),
  0::bigint, 'neither credential nor key can be read in the table'
);
select matches(
  (select string_agg(key_id, ' ') from (select substr(encode(ciphertext, 'hex'), 1, 10) as key_id from private.integration_secrets) s),
  '^(c30d0409.. ?)+$', 'what is there is encrypted with AES-256, by OpenPGP''s own mark'
);

-- A ciphertext that somebody put into another row.
create temporary table kept as select * from private.integration_secrets;
update private.integration_secrets s set ciphertext = k.ciphertext
  from kept k where s.connection_id = (pg_temp.row('acme/shopify')).id and k.connection_id = (pg_temp.row('acme/stripe')).id;
select throws_ok(
  $$select pg_temp.get('acme/shopify', pg_temp.key('b'))$$, 'TH012', 'What is stored is the credential of another connection.',
  'a credential opens in its own place only'
);
update private.integration_secrets s set ciphertext = '\x00' where s.connection_id = (pg_temp.row('acme/shopify')).id;
select throws_ok($$select pg_temp.get('acme/shopify', pg_temp.key('b'))$$, 'TH012', null, 'rubbish opens nowhere');
update private.integration_secrets s set ciphertext = k.ciphertext from kept k where k.id = s.id;

-- Rotation.
set local role service_role;
select pg_temp.store('acme/stripe', 'third', pg_temp.key('a')), pg_temp.store('bolt/shopify', 'bolt''s', pg_temp.key('a'));
select throws_ok($$select private.rotate_integration_credentials('short', pg_temp.key('c'))$$, 'TH011', null, 'rotation needs the old key');
select throws_ok($$select private.rotate_integration_credentials(pg_temp.key('a'), null)$$, 'TH011', null, 'and a new one');
select throws_ok(
  $$select private.rotate_integration_credentials(pg_temp.key('a'), pg_temp.key('c'))$$, 'TH012',
  format(
    'The credential of connection %s of organization %s is under neither key. Nothing was changed.',
    (pg_temp.row('acme/shopify')).id, (pg_temp.row('acme/shopify')).org_id
  ), 'a credential under neither key ends it'
);
select is(pg_temp.get('bolt/shopify', pg_temp.key('a')), 'bolt''s', 'and nothing was changed');
select is(
  private.rotate_integration_credentials(pg_temp.key('a'), pg_temp.key('b'), (pg_temp.row('acme/shopify')).org_id), 1::bigint,
  'one organization: what is under the new key is passed over'
);
select is(pg_temp.get('acme/stripe', pg_temp.key('b')), 'third', 'the other is under the new key');
select is(pg_temp.get('acme/shopify', pg_temp.key('b')), 'second', 'as is what was');
select is(pg_temp.get('bolt/shopify', pg_temp.key('a')), 'bolt''s', 'and another organization''s is not');
select is(private.rotate_integration_credentials(pg_temp.key('a'), pg_temp.key('b')), 1::bigint, 'all: what is left');
select is(private.rotate_integration_credentials(pg_temp.key('a'), pg_temp.key('b')), 0::bigint, 'then there is nothing left');
select is(pg_temp.get('bolt/shopify', pg_temp.key('b')), 'bolt''s', 'each opens with the new key');

select pg_temp.remove('bolt/shopify');
select throws_ok($$select pg_temp.get('bolt/shopify', pg_temp.key('b'))$$, 'TH013', null, 'what is removed is gone');
select ok(not (pg_temp.row('bolt/shopify')).has_credential, 'and the connection says so');
reset role;
select is((select count(*) from private.integration_secrets), 2::bigint, 'from the table too');

-- ---------------------------------------------------------------------------------------------------------------------
-- With Vault, which comes later. As its version 0.3.1: functions of its owner for everybody who was given them, a view that
-- decrypts. The cipher here is only not plain text.

create schema vault;
create table vault.secrets (
  id uuid primary key default gen_random_uuid(), name text unique, description text not null default '', secret text not null
);
create function vault._crypto_aead_det_decrypt(
  message bytea, additional bytea, key_id bigint, context bytea = 'pgsodium', nonce bytea = null
) returns bytea language sql return decode(convert_from(message, 'utf8'), 'base64');
create view vault.decrypted_secrets as
  select id, name, description, secret, convert_from(vault._crypto_aead_det_decrypt(secret::bytea, id::text::bytea, 0), 'utf8')
    as decrypted_secret
  from vault.secrets;
create function vault.create_secret(
  new_secret text, new_name text = null, new_description text = '', new_key_id uuid = null
) returns uuid language sql security definer set search_path = '' as $$
  insert into vault.secrets (secret, name, description)
    values (encode(convert_to(new_secret, 'utf8'), 'base64'), new_name, new_description) returning id
$$;
create function vault.update_secret(
  secret_id uuid, new_secret text = null, new_name text = null, new_description text = null, new_key_id uuid = null
) returns void language sql security definer set search_path = '' as $$
  update vault.secrets set secret = coalesce(encode(convert_to(new_secret, 'utf8'), 'base64'), secret) where id = secret_id
$$;
revoke all on all functions in schema vault from public;

set local role service_role;
select throws_ok(
  $$select pg_temp.store('acme/meta_ads', 'vaulted')$$, '42501', 'permission denied for schema vault', 'Vault is not used before it is given'
);
select is(pg_temp.get('acme/shopify', pg_temp.key('b')), 'second', 'which does not trouble what is encrypted here');
reset role;
\ir ../../sql/functions/private/has_vault.sql

set local role service_role;
select lives_ok($$select pg_temp.store('acme/meta_ads', 'vaulted')$$, 'it is stored without a key');
select is(pg_temp.get('acme/meta_ads'), 'vaulted', 'and found without one');
select is(pg_temp.get('acme/meta_ads', pg_temp.key('a')), 'vaulted', 'a key is no matter there');
select is(pg_temp.store('acme/meta_ads', 'again'), (pg_temp.row('acme/meta_ads')).vault_secret_id, 'it is replaced in its place');
select is(pg_temp.get('acme/meta_ads'), 'again', 'by the new one');
select is(pg_temp.get('acme/shopify', pg_temp.key('b')), 'second', 'what was encrypted before is found');
select pg_temp.store('acme/shopify', 'moved');
select is(pg_temp.get('acme/shopify'), 'moved', 'until it is stored anew');
select is(private.rotate_integration_credentials(pg_temp.key('b'), pg_temp.key('c')), 1::bigint, 'rotation is for what has a key');
reset role;
select results_eq(
  'select encode(decode(secret, ''base64''), ''escape'') from vault.secrets order by 1', $$values ('again'), ('moved')$$, 'Vault has two'
);
select is((select count(*) from private.integration_secrets), 1::bigint, 'and our table the third');
set local role service_role;
select pg_temp.store('acme/shopify', 'with a key', pg_temp.key('d'));
select is(pg_temp.get('acme/shopify', pg_temp.key('d')), 'with a key', 'who brings a key has it used');
reset role;
select is((select count(*) from vault.secrets), 1::bigint, 'and nothing stays behind in Vault');

-- A secret goes with its connection, whatever that goes with, wherever it is.
set local role service_role;
select pg_temp.store('bolt/stripe', 'bolt''s'), pg_temp.store('bolt/meta_ads', 'bolt''s', pg_temp.key('d'));
reset role;
delete from public.organizations where slug = 'bolt';
select is((select count(*) from vault.secrets), 1::bigint, 'one in Vault goes with the organization');
select set_config(
  'request.jwt.claims', json_build_object('sub', signup_user_id, 'org_id', id, 'user_role', 'owner')::text, true
) from public.organizations where slug = 'acme';
set local role authenticated;
delete from public.integration_connections where provider in ('meta_ads', 'shopify');
reset role;
select is((select count(*) from vault.secrets), 0::bigint, 'one in Vault goes with the connection');
select is((select count(*) from private.integration_secrets), 1::bigint, 'and so does one of ours');

-- ---------------------------------------------------------------------------------------------------------------------
-- A caller's temporary types are not taken for the system's (temporary_types.sql)

create function pg_temp.bait(p_value pg_catalog.text) returns pg_catalog.bool language plpgsql as $$
begin
  if current_user = 'tally_owner' then
    raise exception 'the owner ran the code of a caller';
  end if;
  return true;
end
$$;
grant execute on function pg_temp.bait(pg_catalog.text) to public;
do $$
declare
  v_type pg_catalog.text;
  v_function pg_catalog.regprocedure;
begin
  foreach v_type in array array['text', 'uuid', 'bytea', 'bool', 'name'] loop
    execute format('create domain pg_temp.%1$I as pg_catalog.%1$I check (pg_temp.bait(value::pg_catalog.text))', v_type);
  end loop;
  -- What was changed is compiled anew, as in a session of its own.
  for v_function in select oid from pg_proc where pronamespace = 'private'::regnamespace loop
    execute format('alter function %s cost 100', v_function);
  end loop;
end
$$;
set local role service_role;
select lives_ok(
  $$select pg_temp.store('acme/stripe', 'x'), pg_temp.get('acme/stripe'), pg_temp.store('acme/stripe', 'x', pg_temp.key('a')),
      private.rotate_integration_credentials(pg_temp.key('a'), pg_temp.key('b')), pg_temp.get('acme/stripe', pg_temp.key('b')),
      pg_temp.remove('acme/stripe')$$,
  'the functions take no bait'
);
reset role;

-- ---------------------------------------------------------------------------------------------------------------------
-- Without either

drop schema vault cascade;
drop extension pgcrypto;
set local role service_role;
select throws_ok($$select pg_temp.store('acme/stripe', 'x', pg_temp.key('a'))$$, '0A000', null, 'without pgcrypto it is said what is missing');
reset role;
select lives_ok('delete from public.stores', 'and connections can be deleted');

select * from finish();
rollback;
