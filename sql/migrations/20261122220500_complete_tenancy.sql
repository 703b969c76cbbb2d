-- Who works in which workspace, members and keys that managers manage, the choice of an organization, and a place for
-- events that were refused.
--
-- There are few API keys: changing what is unique among them takes no time that anybody would notice.
-- squawk-ignore-file constraint-missing-not-valid, disallowed-unique-constraint, require-concurrent-index-creation

set role tally_owner;

-- Workspace members

create table public.workspace_members (
  org_id uuid not null,
  workspace_id uuid not null,
  user_id uuid not null,
  role public.org_role not null default 'member',
  added_at timestamptz not null default now(),
  constraint workspace_members_pkey primary key (org_id, workspace_id, user_id),
  constraint workspace_members_org_id_workspace_id_fkey
    foreign key (org_id, workspace_id) references public.workspaces (org_id, id) on delete cascade,
  constraint workspace_members_org_id_user_id_fkey
    foreign key (org_id, user_id) references public.org_members (org_id, user_id) on delete cascade
);
comment on table public.workspace_members is
  'Who works in a workspace, and as what: its owners and admins manage the workspace and its stores without managing the organization. It narrows nothing: every member of the organization sees all of it';
comment on column public.workspace_members.org_id is
  'Follows from the workspace, and is here on purpose: with it the rows keep to their organization by the same policy as all others, both keys hold within it, and the table can be sharded';
create index workspace_members_org_id_user_id_idx on public.workspace_members (org_id, user_id);

create function app.managed_workspaces() returns uuid[]
  language plpgsql stable parallel safe set search_path = ''
as $$
begin
  return array(
    select m.workspace_id
    from public.workspace_members m
    where m.org_id = app.org_id() and m.user_id = app.user_id() and m.role in ('owner', 'admin')
  );
end
$$;

comment on function app.managed_workspaces() is 'The workspaces that the user of the request manages as an owner or admin of the workspace';
grant execute on function app.managed_workspaces() to authenticated;

-- Refused events

create table public.quarantined_events (
  org_id uuid not null constraint quarantined_events_org_id_fkey references public.organizations (id) on delete cascade,
  id uuid not null default gen_random_uuid(),
  received_at timestamptz not null default now(),
  store_id uuid,
  source text,
  event_id text,
  metric_key text,
  code text not null,
  detail text not null,
  body text not null,
  replayed_at timestamptz,
  constraint quarantined_events_pkey primary key (org_id, id),
  constraint quarantined_events_body_check check (octet_length(body) <= 65536)
);
comment on table public.quarantined_events is 'For events that could not be counted, with the reason, until they are replayed or discarded';
comment on column public.quarantined_events.store_id is 'The store as the event names it; no foreign key, since it may be one that is not there';
comment on column public.quarantined_events.source is 'The source as the event names it';
comment on column public.quarantined_events.event_id is 'The id as the event names it';
comment on column public.quarantined_events.code is 'Why it was refused, for programs: unknown_metric';
comment on column public.quarantined_events.detail is 'Why it was refused, for people';
comment on column public.quarantined_events.body is 'The event as it was sent';
comment on column public.quarantined_events.replayed_at is 'When it was sent once more and counted; null while it waits';
create index quarantined_events_org_id_received_at_idx on public.quarantined_events (org_id, received_at desc, id);

-- Keys: a unique key of a sharded table must hold the column it is sharded by. No hash comes twice over all organizations
-- either way: each is that of 190 random bits, made by app.create_api_key.
alter table public.api_keys drop constraint api_keys_key_hash_key;
alter table public.api_keys add constraint api_keys_org_id_key_hash_key unique (org_id, key_hash);
create index api_keys_key_hash_idx on public.api_keys (key_hash);

-- Row-level security

do $$
declare
  v_table text;
begin
  foreach v_table in array array['workspace_members', 'quarantined_events'] loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('alter table public.%I force row level security', v_table);
    execute format(
      'create policy %I on public.%I for all to tally_owner using (true) with check (true)', v_table || '_owner', v_table
    );
    execute format(
      'create policy %I on public.%I for all to service_role using (true) with check (true)', v_table || '_service', v_table
    );
  end loop;
end
$$;

create policy workspace_members_select on public.workspace_members for select to authenticated
  using (org_id = (select app.org_id()));
create policy workspace_members_insert on public.workspace_members for insert to authenticated
  with check (
    org_id = (select app.org_id())
    and ((select app.is_manager()) or workspace_id = any ((select app.managed_workspaces())::uuid[]))
  );
create policy workspace_members_update on public.workspace_members for update to authenticated
  using (
    org_id = (select app.org_id())
    and ((select app.is_manager()) or workspace_id = any ((select app.managed_workspaces())::uuid[]))
  )
  with check (
    org_id = (select app.org_id())
    and ((select app.is_manager()) or workspace_id = any ((select app.managed_workspaces())::uuid[]))
  );
create policy workspace_members_delete on public.workspace_members for delete to authenticated
  using (
    org_id = (select app.org_id())
    and ((select app.is_manager()) or workspace_id = any ((select app.managed_workspaces())::uuid[]))
  );

alter policy workspaces_update on public.workspaces
  using (
    org_id = (select app.org_id())
    and ((select app.is_manager()) or id = any ((select app.managed_workspaces())::uuid[]))
  )
  with check (
    org_id = (select app.org_id())
    and ((select app.is_manager()) or id = any ((select app.managed_workspaces())::uuid[]))
  );
alter policy stores_insert on public.stores
  with check (
    org_id = (select app.org_id())
    and ((select app.is_manager()) or workspace_id = any ((select app.managed_workspaces())::uuid[]))
  );
-- Who moves a store to another workspace manages both.
alter policy stores_update on public.stores
  using (
    org_id = (select app.org_id())
    and ((select app.is_manager()) or workspace_id = any ((select app.managed_workspaces())::uuid[]))
  )
  with check (
    org_id = (select app.org_id())
    and ((select app.is_manager()) or workspace_id = any ((select app.managed_workspaces())::uuid[]))
  );
alter policy stores_delete on public.stores
  using (
    org_id = (select app.org_id())
    and ((select app.is_manager()) or workspace_id = any ((select app.managed_workspaces())::uuid[]))
  );

-- One's own memberships of other organizations too: who could not see them could not choose or leave them.
alter policy org_members_select on public.org_members
  using (org_id = (select app.org_id()) or user_id = (select app.user_id()));
-- Nobody gives or takes a role above the own one: the enum goes from most to least. app.keep_an_owner() adds that the last
-- owner stays.
create policy org_members_insert on public.org_members for insert to authenticated
  with check (
    org_id = (select app.org_id())
    and (select app.is_manager())
    and role >= (select app.user_role()::public.org_role)
  );
create policy org_members_update on public.org_members for update to authenticated
  using (
    org_id = (select app.org_id())
    and (select app.is_manager())
    and role >= (select app.user_role()::public.org_role)
  )
  with check (
    org_id = (select app.org_id())
    and (select app.is_manager())
    and role >= (select app.user_role()::public.org_role)
  );
create policy org_members_delete on public.org_members for delete to authenticated
  using (
    user_id = (select app.user_id())
    or (
      org_id = (select app.org_id())
      and (select app.is_manager())
      and role >= (select app.user_role()::public.org_role)
    )
  );

-- That it is a membership, the foreign key sees to.
create policy active_organizations_insert on public.active_organizations for insert to authenticated
  with check (user_id = (select app.user_id()));
create policy active_organizations_update on public.active_organizations for update to authenticated
  using (user_id = (select app.user_id()))
  with check (user_id = (select app.user_id()));
create policy active_organizations_delete on public.active_organizations for delete to authenticated
  using (user_id = (select app.user_id()));

-- A revoked key stays revoked: an update does not reach it.
create policy api_keys_update on public.api_keys for update to authenticated
  using (org_id = (select app.org_id()) and (select app.is_manager()) and revoked_at is null)
  with check (org_id = (select app.org_id()) and (select app.is_manager()));
create policy api_keys_delete on public.api_keys for delete to authenticated
  using (org_id = (select app.org_id()) and (select app.is_manager()));

-- Bodies are raw: who may write events may see what became of them, who only reads metrics may not.
create policy quarantined_events_select on public.quarantined_events for select to authenticated, tally_ingest
  using (
    org_id = (select app.org_id())
    and (select app.may_write_events())
    and ((select app.key_store_id()) is null or store_id = (select app.key_store_id()))
  );
-- Also of a store that is not the key's: that may be why the event was refused.
create policy quarantined_events_insert on public.quarantined_events for insert to tally_ingest
  with check (org_id = (select app.org_id()) and (select app.may_write_events()));
create policy quarantined_events_update on public.quarantined_events for update to tally_ingest
  using (
    org_id = (select app.org_id())
    and (select app.may_write_events())
    and ((select app.key_store_id()) is null or store_id = (select app.key_store_id()))
  )
  with check (org_id = (select app.org_id()) and (select app.may_write_events()));
create policy quarantined_events_delete on public.quarantined_events for delete to authenticated, tally_ingest
  using (
    org_id = (select app.org_id())
    and (select app.may_write_events())
    and ((select app.key_store_id()) is null or store_id = (select app.key_store_id()))
  );

grant select, delete on public.workspace_members to authenticated;
grant insert (org_id, workspace_id, user_id, role), update (role) on public.workspace_members to authenticated;
grant insert (org_id, user_id, role), update (role), delete on public.org_members to authenticated;
-- The user too: PostgREST's upsert sets every column that it was given.
grant insert (user_id, org_id), update (user_id, org_id), delete on public.active_organizations to authenticated;
grant update (name, revoked_at), delete on public.api_keys to authenticated;
-- What a workspace is known by does not change by hand.
revoke update on public.workspaces from authenticated;
grant update (name, slug) on public.workspaces to authenticated;
grant select, delete on public.quarantined_events to authenticated;
grant select, insert, update (replayed_at), delete on public.quarantined_events to tally_ingest;
grant select, insert, update, delete on public.workspace_members, public.quarantined_events to service_role;

reset role;
