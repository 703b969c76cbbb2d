-- GET /v1/me: where a user belongs, the organization that the next token will carry, and whether the user chose it. The
-- earliest joined 1,000 memberships are listed; membership_count says how many there are.
--
-- Security definer: a user sees here the organizations that the token does not name.

set role tally_owner;

create or replace function api.get_me(p_user_id uuid) returns text
  language sql stable security definer set search_path = ''
as $$
  with active as (
    select c.claims ->> 'org_id' as org_id, c.claims ->> 'user_role' as role
    from app.access_token_claims(p_user_id) as c(claims)
  ),
  memberships as (
    select m.org_id, o.name, o.slug, m.role, m.joined_at
    from public.org_members m
    join public.organizations o on o.id = m.org_id
    where m.user_id = p_user_id
    order by m.joined_at, m.org_id
    limit 1000
  )
  select jsonb_build_object(
    'user_id', p_user_id,
    'active_organization', (select org_id from active),
    'role', (select role from active),
    'chosen', exists (select from public.active_organizations a where a.user_id = p_user_id),
    'membership_count', (select count(*) from public.org_members m where m.user_id = p_user_id),
    'memberships', coalesce(
      (
        select jsonb_agg(
          jsonb_build_object(
            'org_id', m.org_id,
            'name', m.name,
            'slug', m.slug,
            'role', m.role,
            'joined_at', app.iso_instant(m.joined_at, 'UTC')
          )
          order by m.joined_at, m.org_id
        )
        from memberships m
      ),
      '[]'
    )
  )::pg_catalog.text
$$;

comment on function api.get_me(uuid) is 'GET /v1/me';
grant execute on function api.get_me(uuid) to tally_token_hook;

reset role;
