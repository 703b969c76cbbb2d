-- POST /hooks/access-token. Answers {"org_id", "user_role"}, or {} for a user who belongs to no organization. A user never
-- seen is provisioned first, unless p_provision is false (an anonymous user).
--
-- Security definer: it must see the memberships of a user who has no claims yet.

set role tally_owner;

create or replace function api.access_token_claims(
  p_user_id uuid, p_email text, p_profile text, p_provision boolean
) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  return coalesce(
    app.ensure_access_token_claims(p_user_id, p_email, p_profile::pg_catalog.jsonb, p_provision), '{}'
  )::pg_catalog.text;
end
$$;

comment on function api.access_token_claims(uuid, text, text, boolean) is 'POST /hooks/access-token';
grant execute on function api.access_token_claims(uuid, text, text, boolean) to tally_token_hook;

reset role;
