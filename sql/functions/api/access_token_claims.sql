-- POST /hooks/access-token. Answers {"org_id", "user_role"}, or {} for a user who belongs to no organization.
--
-- A user never seen is provisioned first: the provider may ask for a token before it tells of the sign-up, or never tell.
-- p_organization_name null says not to (an anonymous user).
--
-- Security definer: it must see the memberships of a user who has no claims yet.

set role tally_owner;

create or replace function api.access_token_claims(p_user_id uuid, p_organization_name text) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_claims pg_catalog.jsonb := app.access_token_claims(p_user_id);
begin
  if v_claims is null and p_organization_name is not null then
    perform app.provision_user(p_user_id, p_organization_name);
    v_claims := app.access_token_claims(p_user_id);
  end if;
  return coalesce(v_claims, '{}')::pg_catalog.text;
end
$$;

comment on function api.access_token_claims(uuid, text) is 'POST /hooks/access-token';
grant execute on function api.access_token_claims(uuid, text) to tally_token_hook;

reset role;
