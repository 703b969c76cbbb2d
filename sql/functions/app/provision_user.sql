-- Makes what a new user works in: an organization, a workspace in it, and the owner's membership. Once for a user,
-- whatever is retried or raced: organizations_signup_user_id_key decides, and who comes second waits for the first and
-- changes nothing. A membership that was taken away later is not given back.
--
-- Answers true when it made them, false when they were there.

set role tally_owner;

create or replace function app.provision_user(p_user_id uuid, p_organization_name text) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_name constant pg_catalog.text := left(coalesce(nullif(trim(p_organization_name), ''), 'My organization'), 200);
  v_slug pg_catalog.text := app.slug(v_name);
  v_org_id pg_catalog.uuid;
  v_is_new pg_catalog.bool := true;
begin
  loop
    -- Without a conflict target: either key may be taken, the user's or the slug's.
    insert into public.organizations (name, slug, signup_user_id)
    values (v_name, v_slug, p_user_id)
    on conflict do nothing
    returning id into v_org_id;
    exit when v_org_id is not null;

    v_is_new := not exists (select from public.organizations where signup_user_id = p_user_id);
    exit when not v_is_new;
    v_slug := app.slug(v_name) || '-' || substr(replace(gen_random_uuid()::pg_catalog.text, '-', ''), 1, 8);
  end loop;

  if v_is_new then
    insert into public.workspaces (org_id, name, slug) values (v_org_id, 'Default', 'default');
    insert into public.org_members (org_id, user_id, role) values (v_org_id, p_user_id, 'owner');
  end if;
  update app.provisioning_failures set resolved_at = now() where user_id = p_user_id and resolved_at is null;
  return v_is_new;
end
$$;

comment on function app.provision_user(uuid, text) is
  'Makes the organization, workspace and ownership of a new user, once; true when it made them';

reset role;
