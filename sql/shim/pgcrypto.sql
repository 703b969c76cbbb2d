-- pgcrypto encrypts the credentials of integrations where there is no Supabase Vault. Made where it can be, wherever it is
-- already left alone; a server without it has all but the credentials, and says so when one is to be stored.

do $$
begin
  if exists (select from pg_catalog.pg_extension where extname = 'pgcrypto')
    or not exists (select from pg_catalog.pg_available_extensions where name = 'pgcrypto') then
    return;
  end if;
  create schema if not exists extensions;
  create extension pgcrypto schema extensions;
exception when insufficient_privilege then
  raise notice 'the extension pgcrypto is left to somebody who may create it: %', sqlerrm;
end
$$;
