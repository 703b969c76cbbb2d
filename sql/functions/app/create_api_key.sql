-- Makes an API key and answers the key itself, which is kept nowhere: only its hash is. For back ends, which speak SQL;
-- over HTTP the component makes the key (functions/core/src/api_key.rs), and both add it by app.add_api_key.
--
-- A key is tally_ and 32 characters of base 62 (190 random bits), and six more that are their CRC-32, so that a secret
-- scanner can tell a key from anything alike without asking the server.
--
-- Errors: TH004, TH021 from app.add_api_key.

set role tally_owner;

create or replace function app.create_api_key(
  p_org_id uuid, p_name text, p_scopes text[], p_store_id uuid default null
) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_secret constant pg_catalog.text := app.random_base62(32);
  v_key constant pg_catalog.text := 'tally_' || v_secret || app.base62(app.crc32(v_secret), 6);
begin
  perform app.add_api_key(
    p_org_id, gen_random_uuid(), encode(sha256(convert_to(v_key, 'UTF8')), 'hex'), left(v_key, 12), p_name, p_scopes,
    p_store_id, null
  );
  return v_key;
end
$$;

comment on function app.create_api_key(uuid, text, text[], uuid) is 'Makes an API key; answers the key, which is kept nowhere';
grant execute on function app.create_api_key(uuid, text, text[], uuid) to service_role;

reset role;
