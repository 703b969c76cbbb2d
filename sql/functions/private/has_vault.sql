-- Whether there is Supabase Vault. By the catalogue, which answers also a role that may not use the schema.

set role tally_owner;

create or replace function private.has_vault() returns boolean
  language sql stable set search_path = ''
  return exists (
    select
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'vault' and p.proname = 'create_secret'
  );

comment on function private.has_vault() is 'Whether there is Supabase Vault';

reset role;

-- What the functions here need of it, given anew each time: it may come after them. On Supabase the migrating role holds all
-- this and may give it. The view decrypts as its reader, so the reader needs the function too.
do $$
begin
  if private.has_vault() then
    grant usage on schema vault to tally_owner;
    grant select, delete on vault.secrets to tally_owner;
    grant select on vault.decrypted_secrets to tally_owner;
    grant execute on function vault.create_secret(text, text, text, uuid) to tally_owner;
    grant execute on function vault.update_secret(uuid, text, text, text, uuid) to tally_owner;
    if exists (
      select from pg_catalog.pg_proc where pronamespace = 'vault'::regnamespace and proname = '_crypto_aead_det_decrypt'
    ) then
      grant execute on function vault._crypto_aead_det_decrypt(bytea, bytea, bigint, bytea, bytea) to tally_owner;
    end if;
  end if;
exception when insufficient_privilege then
  raise warning 'tally_owner cannot be given the use of Supabase Vault, and will store no credentials there: %', sqlerrm;
end
$$;
