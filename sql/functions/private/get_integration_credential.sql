-- The credential of a connection, from wherever it is: the key is needed for what was stored with one.
--
-- Stable, so that all of it sees one state: a credential that is stored anew meanwhile is found before or after.
--
-- Security definer: nobody but these functions reads and writes secrets.
--
-- Errors: TH011 no key; TH012 not under this key, or another connection's; TH013 no such connection, or it has no credential.

set role tally_owner;

create or replace function private.get_integration_credential(p_org_id uuid, p_connection_id uuid, p_key text default null)
  returns text
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_id pg_catalog.uuid;
  v_ciphertext pg_catalog.bytea;
  v_credential pg_catalog.text;
begin
  select c.vault_secret_id, s.ciphertext into v_id, v_ciphertext
  from public.integration_connections c
  left join private.integration_secrets s on s.org_id = c.org_id and s.id = c.vault_secret_id
  where c.org_id = p_org_id and c.id = p_connection_id;
  if v_ciphertext is not null then
    return private.decrypt_credential(p_org_id, p_connection_id, v_ciphertext, p_key);
  end if;

  if v_id is not null and private.has_vault() then
    select d.decrypted_secret into v_credential from vault.decrypted_secrets d where d.id = v_id;
  end if;
  if v_credential is null then
    raise exception using errcode = 'TH013', message = 'There is no such connection, or it has no credential.';
  end if;
  return v_credential;
end
$$;

comment on function private.get_integration_credential(uuid, uuid, text) is 'The credential of a connection';
grant execute on function private.get_integration_credential(uuid, uuid, text) to service_role;

reset role;
