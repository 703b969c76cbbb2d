-- Trigger of integration_connections: the credential goes with its connection, also where the store or the organization goes.
-- Before the row does, since the foreign key would take only what is in our own table.
--
-- Security definer: who deletes a connection has no business with its credential.

set role tally_owner;

create or replace function private.drop_connection_secret() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform private.drop_secret(old.org_id, old.vault_secret_id);
  return old;
end
$$;

comment on function private.drop_connection_secret() is 'Removes the credential of a connection that is deleted';

create or replace trigger integration_connections_drop_secret
  before delete on public.integration_connections
  for each row when (old.vault_secret_id is not null)
  execute function private.drop_connection_secret();

reset role;
