-- The claims of a user in an organization, with the lesser of the role that it has now and the one its token was given;
-- null for one who is no member. The order of the enum is from most to least.
--
-- Security definer: membership must be known before there are claims for a policy to read.

set role tally_owner;

create or replace function app.member_claims(p_user_id uuid, p_org_id uuid, p_role public.org_role) returns jsonb
  language sql stable security definer set search_path = ''
as $$
  select jsonb_build_object('sub', m.user_id, 'org_id', m.org_id, 'user_role', greatest(m.role, p_role))
  from public.org_members m
  where m.org_id = p_org_id and m.user_id = p_user_id
$$;

comment on function app.member_claims(uuid, uuid, public.org_role) is 'The claims of a member, null for anybody else';
grant execute on function app.member_claims(uuid, uuid, public.org_role) to tally_ingest, tally_query;

reset role;
