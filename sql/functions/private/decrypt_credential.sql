-- What private.encrypt_credential has encrypted.
--
-- Errors: TH011 no key; TH012 not under this key, or another connection's.

set role tally_owner;

create or replace function private.decrypt_credential(p_org_id uuid, p_connection_id uuid, p_ciphertext bytea, p_key text)
  returns text
  language plpgsql stable set search_path = ''
as $$
declare
  v_owner constant pg_catalog.text := concat(p_org_id, '/', p_connection_id, chr(10));
  v_key constant pg_catalog.text := private.checked_key(p_key);
  v_text pg_catalog.text;
begin
  begin
    execute format('select %I.pgp_sym_decrypt($1, $2)', private.pgcrypto_schema()) into v_text using p_ciphertext, v_key;
  exception when external_routine_invocation_exception then
    raise exception using errcode = 'TH012', message = 'The credential is not encrypted under this key.';
  end;
  if not starts_with(v_text, v_owner) then
    raise exception using errcode = 'TH012', message = 'What is stored is the credential of another connection.';
  end if;
  return substr(v_text, length(v_owner) + 1);
end
$$;

comment on function private.decrypt_credential(uuid, uuid, bytea, text) is 'A credential of a connection, decrypted';

reset role;
