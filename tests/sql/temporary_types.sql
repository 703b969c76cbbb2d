-- A function role may make temporary objects, and an empty search_path still looks for types among them first. So a role
-- puts a domain under the name of each type that a definer function could mean, with a check that tells whom it runs as; then
-- it calls every definer function that it may. None of them must take the bait.

begin;
select plan(5);

create function pg_temp.bait(p_value pg_catalog.text) returns pg_catalog.bool language plpgsql as $$
begin
  if current_user = 'tally_owner' then
    raise exception 'the owner ran the code of a function role';
  end if;
  return true;
end
$$;
grant execute on function pg_temp.bait(pg_catalog.text) to public;
do $$
declare
  v_type pg_catalog.text;
begin
  foreach v_type in array array['text', 'uuid', 'date', 'json', 'jsonb', 'timestamptz', 'bytea', 'bool', 'name', 'regclass'] loop
    execute format(
      'create domain pg_temp.%1$I as pg_catalog.%1$I check (pg_temp.bait(value::pg_catalog.text))', v_type
    );
  end loop;
end
$$;

-- Whether the bait works at all: a definer function that names a type without its schema takes it.
create function pg_temp.careless() returns pg_catalog.bool language plpgsql security definer set search_path = '' as $$
declare
  v_value text := 'x';
begin
  return v_value is not null;
end
$$;
alter function pg_temp.careless() owner to tally_owner;
grant execute on function pg_temp.careless() to public;
select throws_ok('select pg_temp.careless()', 'the owner ran the code of a function role', 'the bait is good');

set local role tally_provision;
select lives_ok(
  $$select api.provision_user(gen_random_uuid(), 'Acme'), api.provision_user(gen_random_uuid(), 'Acme')$$, 'provision'
);
reset role;
set local role tally_token_hook;
select lives_ok(
  $$select api.access_token_claims(gen_random_uuid(), 'Acme'), api.access_token_claims(gen_random_uuid(), null)$$, 'token-hook'
);
reset role;
set local role tally_ingest;
select lives_ok(
  $$select app.ensure_months('{1999-01-01}'), app.api_key_claims('x'),
      app.member_claims(gen_random_uuid(), gen_random_uuid(), 'owner')$$,
  'ingest'
);
reset role;
set local role tally_query;
select lives_ok(
  $$select app.api_key_claims('x'), app.member_claims(gen_random_uuid(), gen_random_uuid(), 'owner')$$, 'query'
);
reset role;

select * from finish();
rollback;
