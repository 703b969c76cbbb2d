-- The claims of an API key, by the hash of the key; null where there is none that is valid now.
--
-- Security definer: who asks has no organization yet, so no policy could let it see the key.

set role tally_owner;

create or replace function app.api_key_claims(p_key_hash text) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_key public.api_keys;
begin
  select * into v_key
  from public.api_keys
  where key_hash = p_key_hash
    and revoked_at is null
    and (expires_at is null or expires_at > now());
  if not found then
    return null;
  end if;

  -- Once a minute is enough to find keys that nobody uses; skip locked, so that requests never wait for each other.
  update public.api_keys
  set last_used_at = now()
  where (org_id, id) in (
    select k.org_id, k.id
    from public.api_keys k
    where k.org_id = v_key.org_id
      and k.id = v_key.id
      and (k.last_used_at is null or k.last_used_at < now() - interval '1 minute')
    for update skip locked
  );

  return jsonb_strip_nulls(jsonb_build_object(
    'org_id', v_key.org_id,
    'user_role', 'api_key',
    'api_key_id', v_key.id,
    'scopes', to_jsonb(v_key.scopes),
    'store_id', v_key.store_id
  ));
end
$$;

comment on function app.api_key_claims(text) is 'The claims of a valid API key, null for any other';
grant execute on function app.api_key_claims(text) to tally_ingest, tally_query;

reset role;
