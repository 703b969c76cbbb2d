-- What the access token of a user says of organizations: the one the user chose, if it is still a membership, else the
-- earliest joined; null for a user without any.

set role tally_owner;

create or replace function app.access_token_claims(p_user_id uuid) returns jsonb
  language sql stable security definer set search_path = ''
as $$
  select jsonb_build_object('org_id', m.org_id, 'user_role', m.role)
  from public.org_members m
  left join public.active_organizations a on a.user_id = m.user_id and a.org_id = m.org_id
  where m.user_id = p_user_id
  order by (a.org_id is not null) desc, m.joined_at, m.org_id
  limit 1
$$;

comment on function app.access_token_claims(uuid) is 'org_id and user_role for the token of a user, null without a membership';

reset role;
