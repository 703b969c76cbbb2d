-- The schema that the extension pgcrypto is in: extensions on Supabase, and anywhere else it may be anywhere.

set role tally_owner;

create or replace function private.pgcrypto_schema() returns name
  language plpgsql stable set search_path = ''
as $$
declare
  v_schema pg_catalog.name;
begin
  select n.nspname into v_schema
  from pg_catalog.pg_extension e
  join pg_catalog.pg_namespace n on n.oid = e.extnamespace
  where e.extname = 'pgcrypto';
  if not found then
    raise exception using errcode = 'feature_not_supported',
      message = 'Credentials need Supabase Vault or the extension pgcrypto, and this database has neither.',
      hint = 'create extension pgcrypto, then migrate again.';
  end if;
  return v_schema;
end
$$;

comment on function private.pgcrypto_schema() is 'The schema that the extension pgcrypto is in';

reset role;

do $$
begin
  if exists (select from pg_catalog.pg_extension where extname = 'pgcrypto') then
    execute format('grant usage on schema %I to tally_owner', private.pgcrypto_schema());
  end if;
exception when insufficient_privilege then
  raise warning 'tally_owner cannot be given the use of the schema that pgcrypto is in: %', sqlerrm;
end
$$;
