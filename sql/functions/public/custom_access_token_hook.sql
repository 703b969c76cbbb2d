-- Supabase Auth's custom access token hook, in the database: every claim that came in goes out again, with org_id and
-- user_role of the user's organization. What came in under those names is not ours, so it goes.
--
-- Answers {"claims": {…}}, or {"error": {"http_code", "message"}} whose message reaches the client. The provider calls it
-- inside the transaction that makes the token, for 2 s at most, with the user's row locked: it must never touch auth.users.
--
-- Security definer: the provider's role sees nothing of ours.

set role tally_owner;

create or replace function public.custom_access_token_hook(event jsonb) returns jsonb
  language plpgsql volatile security definer set search_path = ''
  set lock_timeout = '500ms'
as $$
declare
  v_claims constant pg_catalog.jsonb := event -> 'claims';
  v_user_id constant pg_catalog.text := event ->> 'user_id';
  v_organization pg_catalog.jsonb;
begin
  if jsonb_typeof(v_claims) is distinct from 'object'
    or coalesce(v_user_id !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', true)
  then
    return '{"error": {"http_code": 400, "message": "The event has no user_id, or no claims."}}';
  end if;

  v_organization := app.ensure_access_token_claims(
    v_user_id::pg_catalog.uuid, v_claims ->> 'email', v_claims -> 'user_metadata',
    v_claims ->> 'is_anonymous' is distinct from 'true'
  );
  return jsonb_build_object('claims', v_claims - 'org_id' - 'user_role' || coalesce(v_organization, '{}'));
exception when query_canceled or others then
  -- The client learns that it may try again; the server's log knows why.
  raise warning 'no access token for user %: % (%)', v_user_id, sqlerrm, sqlstate;
  return '{"error": {"http_code": 500, "message": "The organization of the user cannot be read now. Try again."}}';
end
$$;

comment on function public.custom_access_token_hook(jsonb) is
  'Supabase Auth''s custom access token hook: the claims of a token with org_id and user_role';
revoke execute on function public.custom_access_token_hook(jsonb) from public, anon, authenticated;
grant execute on function public.custom_access_token_hook(jsonb) to supabase_auth_admin;

reset role;
