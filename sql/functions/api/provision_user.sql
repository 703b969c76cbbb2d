-- POST /hooks/user-created. Answers {"created": bool}. p_profile is what the person entered, a JSON object as text.
--
-- Security definer: a new user has no claims; the function may make an organization and can do nothing else.

set role tally_owner;

create or replace function api.provision_user(p_user_id uuid, p_email text, p_profile text) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  return jsonb_build_object(
    'created', app.provision_user(p_user_id, app.organization_name(p_profile::pg_catalog.jsonb, p_email))
  )::pg_catalog.text;
end
$$;

comment on function api.provision_user(uuid, text, text) is 'POST /hooks/user-created';
grant execute on function api.provision_user(uuid, text, text) to tally_provision;

reset role;
