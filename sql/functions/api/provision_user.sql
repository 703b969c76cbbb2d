-- POST /hooks/user-created. Answers {"created": bool}.
--
-- Security definer: a new user has no claims; the function may make an organization and can do nothing else.

set role tally_owner;

create or replace function api.provision_user(p_user_id uuid, p_organization_name text) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  return jsonb_build_object('created', app.provision_user(p_user_id, p_organization_name))::pg_catalog.text;
end
$$;

comment on function api.provision_user(uuid, text) is 'POST /hooks/user-created';
grant execute on function api.provision_user(uuid, text) to tally_provision;

reset role;
