-- Stores the credential of a connection, in the place of the one it had, and answers the id it is stored under. A connection
-- that was in error for want of authorization is active again.
--
-- Without a key it goes to Supabase Vault, which has a key of its own. With a key it is encrypted here under that key, also
-- where there is Vault: who brings a key means to use it. Without either it is an error. A credential that is stored the one way
-- is found by the other until it is stored anew, so Vault may come later.
--
-- Credential and key belong in bind parameters: what is in the text of a statement is in logs and statistics.
--
-- Security definer: nobody but these functions reads and writes secrets.
--
-- Errors: TH011 no key; TH013 no such connection.

set role tally_owner;

create or replace function private.store_integration_credential(
  p_org_id uuid, p_connection_id uuid, p_credential text, p_key text default null
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_old pg_catalog.uuid;
  v_id pg_catalog.uuid;
begin
  if p_credential is null or octet_length(p_credential) not between 1 and 65536 then
    raise exception using errcode = 'invalid_parameter_value', message = 'A credential has 1 to 65536 bytes.';
  end if;
  select c.vault_secret_id into v_old
  from public.integration_connections c
  where c.org_id = p_org_id and c.id = p_connection_id
  for update;
  if not found then
    raise exception using errcode = 'TH013', message = 'There is no such connection.';
  end if;

  if p_key is null and private.has_vault() then
    if exists (select from vault.secrets where id = v_old) then
      v_id := v_old;
      perform vault.update_secret(v_id, p_credential);
    else
      -- Never an insert: that would leave it there in the clear.
      v_id := vault.create_secret(
        p_credential, null, format('Tallyhouse: connection %s of organization %s', p_connection_id, p_org_id)
      );
    end if;
  else
    insert into private.integration_secrets as s (org_id, connection_id, ciphertext)
    values (
      p_org_id, p_connection_id, private.encrypt_credential(p_org_id, p_connection_id, p_credential, p_key)
    )
    on conflict (org_id, connection_id) do update set ciphertext = excluded.ciphertext, updated_at = now()
    returning s.id into v_id;
  end if;

  update public.integration_connections
  set vault_secret_id = v_id,
    status = case when status = 'error' and last_error_type = 'authorization' then 'active' else status end
  where org_id = p_org_id and id = p_connection_id;
  if v_old <> v_id then
    perform private.drop_secret(p_org_id, v_old);
  end if;
  return v_id;
end
$$;

comment on function private.store_integration_credential(uuid, uuid, text, text) is
  'Stores the credential of a connection: in Supabase Vault, or encrypted under the key that is given';
grant execute on function private.store_integration_credential(uuid, uuid, text, text) to service_role;

reset role;
