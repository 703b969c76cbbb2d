-- A function role may make temporary objects, and an empty search_path still looks for types among them first. So a role
-- puts a domain under the name of each type that a definer function could mean, with a check that tells whom it runs as; then
-- every definer function is called by every role that may. None of them must take the bait. What no call here reaches, triggers
-- above all, catalog.sql reads.

begin;
select plan(3);

-- Someone to call for.
select app.provision_user('aaaaaaaa-0000-4000-8000-000000000001', 'Acme');
create temporary table sample (name, value) as
  select 'p_user_id', 'aaaaaaaa-0000-4000-8000-000000000002'
  union all select 'p_org_id', org_id::text from public.org_members
  union all select 'p_profile', '{"company": "Acme"}'
  union all select 'p_email', 'wile@acme.example'
  union all select 'event', '{"user_id": "bbbbbbbb-0000-4000-8000-000000000001", "claims": {"email": "b@bolt.example"}}';
select set_config('request.jwt.claims', json_build_object('sub', user_id, 'org_id', org_id, 'user_role', role)::text, true)
from public.org_members;

-- Not undone with the transaction of a call, and by a function that catches every error.
create temporary sequence taken;
grant usage on taken to public;
create function pg_temp.bait(p_value pg_catalog.text) returns pg_catalog.bool language plpgsql as $$
begin
  if current_user = 'tally_owner' then
    perform nextval('pg_temp.taken');
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
  foreach v_type in array array[
    'text', 'uuid', 'date', 'json', 'jsonb', 'timestamptz', 'bytea', 'bool', 'name', 'regclass', 'int4', 'int8', 'numeric'
  ] loop
    execute format(
      'create domain pg_temp.%1$I as pg_catalog.%1$I check (pg_temp.bait(value::pg_catalog.text))', v_type
    );
  end loop;
end
$$;

-- A call as a role: with what is known of an argument by its name, else with something of its type. What the call did is
-- undone; answers whether it took the bait.
create function pg_temp.takes_bait(p_role pg_catalog.name, p_function pg_catalog.oid) returns pg_catalog.bool
  language plpgsql as $$
declare
  v_before constant pg_catalog.int8 := nextval('pg_temp.taken');
  v_call pg_catalog.text;
begin
  select format('select %s(%s)', p.oid::pg_catalog.regproc, string_agg(
    format('%L::%s.%s', coalesce(
      (select s.value from sample s where s.name = p.proargnames[a.position]),
      case
        when t.typname = '_date' then '{1999-01-01}'
        when t.typcategory = 'A' then '{}'
        when t.typname = 'uuid' then 'cccccccc-0000-4000-8000-000000000001'
        when t.typcategory = 'D' then '2026-01-01'
        when t.typname in ('json', 'jsonb') then '{}'
        when t.typcategory = 'B' then 'true'
        when t.typcategory = 'E' then (select e.enumlabel from pg_enum e where e.enumtypid = t.oid limit 1)
        else '1'
      end
    ), t.typnamespace::pg_catalog.regnamespace, t.typname), ', ' order by a.position
  ) filter (where t.oid is not null))
  into v_call
  from pg_proc p
  left join unnest(p.proargtypes) with ordinality as a (type, position) on true
  left join pg_type t on t.oid = a.type
  where p.oid = p_function
  group by p.oid;
  execute format('set local role %I', p_role);
  begin
    execute v_call;
    raise exception using errcode = 'RBACK';
  exception when others then
    reset role;
    if sqlstate in ('42501', '42883', '42601') then
      raise exception 'not called as %: % (%)', p_role, v_call, sqlerrm;
    end if;
  end;
  return nextval('pg_temp.taken') > v_before + 1;
end
$$;

-- Whether the bait works at all: a definer function that names a type without its schema takes it, even one that hides it.
create function app.careless(p_value pg_catalog.text) returns pg_catalog.bool
  language plpgsql security definer set search_path = '' as $$
declare
  v_value text := p_value;
begin
  return v_value is not null;
exception when others then
  return true;
end
$$;
alter function app.careless(pg_catalog.text) owner to tally_owner;
grant execute on function app.careless(pg_catalog.text) to tally_query;
select ok(pg_temp.takes_bait('tally_query', 'app.careless(pg_catalog.text)'::pg_catalog.regprocedure), 'the bait is good');
drop function app.careless(pg_catalog.text);

create temporary table called as
  select r.rolname, p.oid::pg_catalog.regprocedure as function, pg_temp.takes_bait(r.rolname, p.oid) as takes_bait
  from pg_proc p, pg_roles r
  where p.prosecdef and p.proowner = 'tally_owner'::pg_catalog.regrole and p.prorettype <> 'trigger'::pg_catalog.regtype
    and r.rolname in (
      'tally_provision', 'tally_token_hook', 'tally_ingest', 'tally_query', 'anon', 'authenticated', 'service_role',
      'supabase_auth_admin'
    )
    and has_function_privilege(r.oid, p.oid, 'execute') and has_schema_privilege(r.oid, p.pronamespace, 'usage');
select is_empty($$select rolname, function from called where takes_bait$$, 'no definer function takes it');
select ok(
  (select count(distinct rolname) from called) >= 5 and 'api.provision_user(pg_catalog.uuid, pg_catalog.text, pg_catalog.text)'
    ::pg_catalog.regprocedure in (select function from called),
  'all roles with definer functions called them'
);

select * from finish();
rollback;
