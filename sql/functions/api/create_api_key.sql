-- POST /v1/api-keys: makes a key of the organization that the user manages. The key itself stays with whoever made it:
-- here come its hash, its first characters, and an id that was chosen with it, so that the same call again is the same
-- key.
--
-- Answers {"id", "name", "prefix", "scopes", "store_id", "created_at", "expires_at"}.
--
-- Errors: TH002 from app.assume_authority; TH003 from app.managed_org_id; TH004, TH021 from app.add_api_key.

set role tally_owner;

-- The role's own lock_timeout is that of hooks, which share connections; this call has one to itself.
create or replace function api.create_api_key(
  p_authority text,
  p_id uuid,
  p_key_hash text,
  p_prefix text,
  p_name text,
  p_scopes text[],
  p_store_id uuid,
  p_expires_at timestamptz
) returns text
  language plpgsql volatile set search_path = '' set lock_timeout = '2s'
as $$
declare
  v_org_id uuid;
begin
  perform app.assume_authority(p_authority);
  v_org_id := app.managed_org_id();
  perform app.add_api_key(v_org_id, p_id, p_key_hash, p_prefix, p_name, p_scopes, p_store_id, p_expires_at);

  return (
    select jsonb_build_object(
      'id', k.id,
      'name', k.name,
      'prefix', k.prefix,
      'scopes', k.scopes,
      'store_id', k.store_id,
      'created_at', app.iso_instant(k.created_at, 'UTC'),
      'expires_at', app.iso_instant(k.expires_at, 'UTC')
    )::text
    from public.api_keys k
    where k.org_id = v_org_id and k.id = p_id
  );
end
$$;

comment on function api.create_api_key(text, uuid, text, text, text, text[], uuid, timestamptz) is 'POST /v1/api-keys';
grant execute on function api.create_api_key(text, uuid, text, text, text, text[], uuid, timestamptz)
  to tally_token_hook;

reset role;
