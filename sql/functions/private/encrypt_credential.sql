-- A credential, encrypted under a key of the caller's. Whose it is is encrypted with it: in another row it opens no more.
--
-- Errors: TH011 no key.

set role tally_owner;

create or replace function private.encrypt_credential(p_org_id uuid, p_connection_id uuid, p_credential text, p_key text)
  returns bytea
  language plpgsql volatile set search_path = ''
as $$
declare
  v_ciphertext pg_catalog.bytea;
begin
  execute format('select %I.pgp_sym_encrypt($1, $2, $3)', private.pgcrypto_schema())
  into v_ciphertext
  using
    concat(p_org_id, '/', p_connection_id, chr(10), p_credential), private.checked_key(p_key),
    'cipher-algo=aes256'::pg_catalog.text;
  return v_ciphertext;
end
$$;

comment on function private.encrypt_credential(uuid, uuid, text, text) is 'A credential of a connection, encrypted';

reset role;
