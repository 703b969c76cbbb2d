-- DELETE /v1/api-keys/{id}: revokes a key of the organization that the user manages, for good; one that is revoked stays
-- as it is. Answers the id. Whoever begins a request with the key after this one's commit is refused.
--
-- Waits for a request of the key that is under way and has noted when it was used (app.api_key_claims).
--
-- Errors: TH002 from app.assume_authority; TH003 from app.managed_org_id; TH020 no such key, or somebody else's.

set role tally_owner;

-- The role's own lock_timeout is that of hooks, which share connections; this call has one to itself.
create or replace function api.revoke_api_key(p_authority text, p_key_id uuid) returns text
  language plpgsql volatile set search_path = '' set lock_timeout = '2s'
as $$
declare
  v_org_id uuid;
begin
  perform app.assume_authority(p_authority);
  v_org_id := app.managed_org_id();

  update public.api_keys k
  set revoked_at = now()
  where k.org_id = v_org_id and k.id = p_key_id and k.revoked_at is null;
  if not found and not exists (select from public.api_keys k where k.org_id = v_org_id and k.id = p_key_id) then
    raise exception using errcode = 'TH020', message = format('no API key %s', p_key_id);
  end if;
  return p_key_id::text;
end
$$;

comment on function api.revoke_api_key(text, uuid) is 'DELETE /v1/api-keys/{id}';
grant execute on function api.revoke_api_key(text, uuid) to tally_token_hook;

reset role;
