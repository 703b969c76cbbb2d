-- Encrypts credentials anew, under another key: of one organization, or of all. Answers how many. What is under the new key
-- already is passed over, so it can be called again, organization by organization, until nothing is left under the old one. A
-- credential under neither key ends it, and nothing is changed.
--
-- Security definer: nobody but these functions reads and writes secrets.
--
-- Errors: TH011 no key; TH012 a credential that is under neither.

set role tally_owner;

create or replace function private.rotate_integration_credentials(p_old_key text, p_new_key text, p_org_id uuid default null)
  returns bigint
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_old_key constant pg_catalog.text := private.checked_key(p_old_key);
  v_new_key constant pg_catalog.text := private.checked_key(p_new_key);
  v_secret private.integration_secrets;
  v_credential pg_catalog.text;
  v_count bigint := 0;
begin
  for v_secret in
    select * from private.integration_secrets s
    where p_org_id is null or s.org_id = p_org_id
    order by s.org_id, s.id
    for update
  loop
    begin
      v_credential := private.decrypt_credential(v_secret.org_id, v_secret.connection_id, v_secret.ciphertext, v_old_key);
    exception when sqlstate 'TH012' then
      begin
        perform private.decrypt_credential(v_secret.org_id, v_secret.connection_id, v_secret.ciphertext, v_new_key);
        continue;
      exception when sqlstate 'TH012' then
        raise exception using errcode = 'TH012', message = format(
          'The credential of connection %s of organization %s is under neither key. Nothing was changed.',
          v_secret.connection_id, v_secret.org_id
        );
      end;
    end;
    update private.integration_secrets
    set ciphertext = private.encrypt_credential(org_id, connection_id, v_credential, v_new_key), updated_at = now()
    where org_id = v_secret.org_id and id = v_secret.id;
    v_count := v_count + 1;
  end loop;
  return v_count;
end
$$;

comment on function private.rotate_integration_credentials(text, text, uuid) is
  'Encrypts credentials anew under another key; answers how many';
grant execute on function private.rotate_integration_credentials(text, text, uuid) to service_role;

reset role;
