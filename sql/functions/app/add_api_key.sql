-- Adds an API key, of which the caller has made the text and gives the hash: the one way by which a key comes to be,
-- for app.create_api_key and api.create_api_key. Runs as its caller, under the caller's policies; names types in full,
-- since one of them is security definer.
--
-- The same id again adds nothing: a statement that is sent twice makes one key. If the first one is still under way,
-- the second waits for it.
--
-- Errors: TH004 no such store in the organization; TH021 from app.limit_api_keys.

set role tally_owner;

create or replace function app.add_api_key(
  p_org_id uuid,
  p_id uuid,
  p_key_hash text,
  p_prefix text,
  p_name text,
  p_scopes text[],
  p_store_id uuid,
  p_expires_at timestamptz
) returns void
  language plpgsql volatile set search_path = ''
as $$
declare
  v_constraint pg_catalog.text;
begin
  insert into public.api_keys (org_id, id, key_hash, prefix, name, scopes, store_id, created_by, expires_at)
  values (p_org_id, p_id, p_key_hash, p_prefix, p_name, p_scopes, p_store_id, app.user_id(), p_expires_at)
  on conflict (org_id, id) do nothing;
exception
  -- The key knows whether the store is the organization's, without a right to read stores.
  when foreign_key_violation then
    get stacked diagnostics v_constraint = constraint_name;
    if v_constraint = 'api_keys_org_id_store_id_fkey' then
      raise exception using errcode = 'TH004', message = format('no store %s', p_store_id);
    end if;
    raise;
end
$$;

comment on function app.add_api_key(uuid, uuid, text, text, text, text[], uuid, timestamptz) is
  'Adds an API key by its hash; the same id again adds nothing';
grant execute on function app.add_api_key(uuid, uuid, text, text, text, text[], uuid, timestamptz) to tally_token_hook;

reset role;
