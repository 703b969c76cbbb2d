-- Removes a secret of an organization from wherever it is.

set role tally_owner;

create or replace function private.drop_secret(p_org_id uuid, p_secret_id uuid) returns void
  language plpgsql volatile set search_path = ''
as $$
begin
  delete from private.integration_secrets where org_id = p_org_id and id = p_secret_id;
  if not found and private.has_vault() then
    delete from vault.secrets where id = p_secret_id;
  end if;
end
$$;

comment on function private.drop_secret(uuid, uuid) is 'Removes a secret of an organization from wherever it is';

reset role;
