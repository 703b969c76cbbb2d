-- Removes the credential of a connection, which stays.
--
-- Security definer: nobody but these functions reads and writes secrets.
--
-- Errors: TH013 no such connection, or it has no credential.

set role tally_owner;

create or replace function private.delete_integration_credential(p_org_id uuid, p_connection_id uuid) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_id pg_catalog.uuid;
begin
  select c.vault_secret_id into v_id
  from public.integration_connections c
  where c.org_id = p_org_id and c.id = p_connection_id
  for update;
  if v_id is null then
    raise exception using errcode = 'TH013', message = 'There is no such connection, or it has no credential.';
  end if;
  update public.integration_connections set vault_secret_id = null where org_id = p_org_id and id = p_connection_id;
  perform private.drop_secret(p_org_id, v_id);
end
$$;

comment on function private.delete_integration_credential(uuid, uuid) is 'Removes the credential of a connection, which stays';
grant execute on function private.delete_integration_credential(uuid, uuid) to service_role;

reset role;
