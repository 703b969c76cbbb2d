-- PUT /v1/me/active-organization: the user chooses the organization to work in, or with null takes the choice back, after
-- which it is the earliest joined again. The next token carries it. Answers as api.get_me does, but for the memberships.
--
-- Errors: TH015 not a member of such an organization, whether there is one or not.
--
-- Security definer: the user may not be in the organization of the token, and the role of the function has no grants.

set role tally_owner;

create or replace function api.set_active_organization(p_user_id uuid, p_org_id uuid) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_org_id is null then
    delete from public.active_organizations where user_id = p_user_id;
  else
    -- The lock waits for whoever is removing the membership, and then finds none.
    insert into public.active_organizations (user_id, org_id)
    select m.user_id, m.org_id
    from public.org_members m
    where m.org_id = p_org_id and m.user_id = p_user_id
    for key share
    on conflict (user_id) do update set org_id = excluded.org_id;
    if not found then
      raise exception using errcode = 'TH015', message = 'there is no such organization among those the user belongs to';
    end if;
  end if;

  return (
    select jsonb_build_object(
      'user_id', p_user_id,
      'active_organization', c.claims -> 'org_id',
      'role', c.claims -> 'user_role',
      'chosen', p_org_id is not null
    )
    from app.access_token_claims(p_user_id) as c(claims)
  )::pg_catalog.text;
end
$$;

comment on function api.set_active_organization(uuid, uuid) is 'PUT /v1/me/active-organization';
grant execute on function api.set_active_organization(uuid, uuid) to tally_token_hook;

reset role;
