-- Owners and admins make, list and revoke API keys over HTTP: tally_token_hook, the role of /v1/api-keys, gets the rights
-- for it, and policies that hold it to the organization its caller manages. It writes the hash of a key and never reads
-- one.
--
-- Locks: api_keys is small, so its indexes are built at once.
-- squawk-ignore-file require-concurrent-index-creation

set role tally_owner;

grant execute on function
  app.claims(), app.claimed_uuid(text), app.org_id(), app.user_id(), app.user_role(), app.is_manager(),
  app.uuid_or_null(text)
  to tally_token_hook;

alter policy api_keys_select on public.api_keys to authenticated, tally_token_hook;
alter policy api_keys_update on public.api_keys to authenticated, tally_token_hook;
-- Nobody makes a key in somebody else's name.
create policy api_keys_insert on public.api_keys for insert to tally_token_hook
  with check (
    org_id = (select app.org_id()) and (select app.is_manager()) and created_by = (select app.user_id())
  );

grant
  select (org_id, id, name, prefix, scopes, store_id, created_by, created_at, expires_at, revoked_at, last_used_at),
  insert (org_id, id, name, key_hash, prefix, scopes, store_id, created_by, expires_at),
  update (revoked_at)
  on public.api_keys to tally_token_hook;

-- Lists, newest first.
create index api_keys_org_id_created_at_idx on public.api_keys (org_id, created_at, id);
-- How many there are (app.limit_api_keys), however many were revoked over the years.
create index api_keys_org_id_idx on public.api_keys (org_id) where revoked_at is null;

reset role;

-- Its owner is whoever migrates.
grant usage on schema app to tally_token_hook;
