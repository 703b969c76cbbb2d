-- Organization, workspace, store, and who belongs where.
--
-- Tenant tables lead their primary key with org_id, so that rows of one organization lie together and the tables can be
-- sharded by it; active_organizations is a user's, and has one row for each. Row-level security is forced, for the owner too: tally_owner sees across tenants only because a
-- policy says so, and it acts only inside security definer functions.

set role tally_owner;

create type public.plan_tier as enum ('free', 'starter', 'growth', 'enterprise');
create type public.org_role as enum ('owner', 'admin', 'member', 'viewer');

create table app.time_zones (
  name text not null constraint time_zones_pkey primary key
);
comment on table app.time_zones is 'The IANA zones this server knows: a table, since listing them takes a server a tenth of a second';

create table public.organizations (
  id uuid not null default gen_random_uuid() constraint organizations_pkey primary key,
  name text not null,
  slug text not null,
  plan_tier public.plan_tier not null default 'free',
  feature_flags jsonb not null default '{}',
  white_label_config jsonb not null default '{}',
  signup_user_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint organizations_slug_key unique (slug),
  constraint organizations_signup_user_id_key unique (signup_user_id),
  constraint organizations_name_check check (length(name) between 1 and 200),
  constraint organizations_slug_check check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(slug) <= 63),
  constraint organizations_feature_flags_check check (jsonb_typeof(feature_flags) = 'object'),
  constraint organizations_white_label_config_check check (jsonb_typeof(white_label_config) = 'object')
);
comment on table public.organizations is 'A tenant';
comment on column public.organizations.slug is 'Names the organization in URLs; unique over all';
comment on column public.organizations.signup_user_id is
  'The user whose sign-up made it, so that a sign-up makes one organization however often it is told; null when made otherwise';

create table public.workspaces (
  org_id uuid not null constraint workspaces_org_id_fkey references public.organizations (id) on delete cascade,
  id uuid not null default gen_random_uuid(),
  name text not null,
  slug text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint workspaces_pkey primary key (org_id, id),
  constraint workspaces_org_id_slug_key unique (org_id, slug),
  constraint workspaces_name_check check (length(name) between 1 and 200),
  constraint workspaces_slug_check check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(slug) <= 63)
);
comment on table public.workspaces is 'Groups the stores of an organization: a brand, a region, a client';
comment on column public.workspaces.slug is 'Unique within the organization';

create table public.stores (
  org_id uuid not null constraint stores_org_id_fkey references public.organizations (id) on delete cascade,
  id uuid not null default gen_random_uuid(),
  workspace_id uuid not null,
  name text not null,
  external_id text,
  timezone text not null default 'UTC' constraint stores_timezone_fkey references app.time_zones (name),
  currency text not null default 'USD',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint stores_pkey primary key (org_id, id),
  constraint stores_org_id_workspace_id_fkey
    foreign key (org_id, workspace_id) references public.workspaces (org_id, id) on delete cascade,
  constraint stores_org_id_external_id_key unique (org_id, external_id),
  constraint stores_name_check check (length(name) between 1 and 200),
  constraint stores_currency_check check (currency ~ '^[A-Z]{3}$')
);
comment on table public.stores is 'A shop, an account, a marketplace: what events are recorded for';
comment on column public.stores.external_id is 'What the store is called in the system that its events come from';
comment on column public.stores.timezone is 'The zone its days are counted in; the day rollups are kept in it';
comment on column public.stores.currency is 'ISO 4217 code of its own currency';
create index stores_org_id_workspace_id_idx on public.stores (org_id, workspace_id);
create index stores_timezone_idx on public.stores (timezone);

create table public.org_members (
  org_id uuid not null constraint org_members_org_id_fkey references public.organizations (id) on delete cascade,
  user_id uuid not null,
  role public.org_role not null default 'member',
  joined_at timestamptz not null default now(),
  constraint org_members_pkey primary key (org_id, user_id)
);
comment on table public.org_members is 'Who belongs to an organization, and as what';
comment on column public.org_members.user_id is
  'The identity provider''s user. No foreign key to auth.users: the provider calls the hooks inside the sign-up transaction, where the user''s row is not visible yet';
create index org_members_user_id_joined_at_idx on public.org_members (user_id, joined_at);

create table public.active_organizations (
  user_id uuid not null constraint active_organizations_pkey primary key,
  org_id uuid not null,
  chosen_at timestamptz not null default now(),
  constraint active_organizations_org_id_user_id_fkey
    foreign key (org_id, user_id) references public.org_members (org_id, user_id) on delete cascade
);
comment on table public.active_organizations is
  'The organization a user chose to work in; goes with the membership, so that a removed one is never put into a token';
create index active_organizations_org_id_user_id_idx on public.active_organizations (org_id, user_id);

create table public.api_keys (
  org_id uuid not null constraint api_keys_org_id_fkey references public.organizations (id) on delete cascade,
  id uuid not null default gen_random_uuid(),
  name text not null,
  key_hash text not null,
  prefix text not null,
  scopes text[] not null,
  store_id uuid,
  created_by uuid,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  constraint api_keys_pkey primary key (org_id, id),
  constraint api_keys_key_hash_key unique (key_hash),
  constraint api_keys_org_id_store_id_fkey
    foreign key (org_id, store_id) references public.stores (org_id, id) on delete cascade,
  constraint api_keys_name_check check (length(name) between 1 and 200),
  constraint api_keys_key_hash_check check (key_hash ~ '^[0-9a-f]{64}$'),
  constraint api_keys_scopes_check
    check (scopes <@ array['events:write', 'metrics:read'] and cardinality(scopes) > 0)
);
comment on table public.api_keys is 'Keys of machines. Only the hash is kept; the key itself is shown once, when it is made';
comment on column public.api_keys.key_hash is 'SHA-256 of the whole key, hex: the key is 190 random bits, so a slow hash adds nothing';
comment on column public.api_keys.prefix is 'The first characters of the key, to tell keys apart in a list';
comment on column public.api_keys.store_id is 'The one store the key is for; null for every store of the organization';
create index api_keys_org_id_store_id_idx on public.api_keys (org_id, store_id);

-- Row-level security: the owner role by its own policy, tenants by their claims.
do $$
declare
  v_table text;
begin
  foreach v_table in array array[
    'organizations', 'workspaces', 'stores', 'org_members', 'active_organizations', 'api_keys'
  ] loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('alter table public.%I force row level security', v_table);
    execute format(
      'create policy %I on public.%I for all to tally_owner using (true) with check (true)',
      v_table || '_owner', v_table
    );
  end loop;
end
$$;

create policy organizations_select on public.organizations for select to authenticated, tally_ingest, tally_query
  using (id = (select app.org_id()));
create policy organizations_update on public.organizations for update to authenticated
  using (id = (select app.org_id()) and (select app.is_manager()))
  with check (id = (select app.org_id()) and (select app.is_manager()));

create policy workspaces_select on public.workspaces for select to authenticated, tally_query
  using (org_id = (select app.org_id()));
create policy workspaces_insert on public.workspaces for insert to authenticated
  with check (org_id = (select app.org_id()) and (select app.is_manager()));
create policy workspaces_update on public.workspaces for update to authenticated
  using (org_id = (select app.org_id()) and (select app.is_manager()))
  with check (org_id = (select app.org_id()) and (select app.is_manager()));
create policy workspaces_delete on public.workspaces for delete to authenticated
  using (org_id = (select app.org_id()) and (select app.is_manager()));

create policy stores_select on public.stores for select to authenticated, tally_ingest, tally_query
  using (
    org_id = (select app.org_id())
    and ((select app.key_store_id()) is null or id = (select app.key_store_id()))
  );
create policy stores_insert on public.stores for insert to authenticated
  with check (org_id = (select app.org_id()) and (select app.is_manager()));
create policy stores_update on public.stores for update to authenticated
  using (org_id = (select app.org_id()) and (select app.is_manager()))
  with check (org_id = (select app.org_id()) and (select app.is_manager()));
create policy stores_delete on public.stores for delete to authenticated
  using (org_id = (select app.org_id()) and (select app.is_manager()));

create policy org_members_select on public.org_members for select to authenticated
  using (org_id = (select app.org_id()));

create policy active_organizations_select on public.active_organizations for select to authenticated
  using (user_id = (select app.user_id()));

create policy api_keys_select on public.api_keys for select to authenticated
  using (org_id = (select app.org_id()) and (select app.is_manager()));

grant select on public.organizations to authenticated, tally_ingest, tally_query;
-- Not the plan and not the feature flags: those are the product's to give.
grant update (name, white_label_config) on public.organizations to authenticated;
grant select, insert, update, delete on public.workspaces to authenticated;
grant select, insert, delete on public.stores to authenticated;
-- Not the time zone: the day rollups are kept in it.
grant update (name, external_id, currency, workspace_id) on public.stores to authenticated;
grant select on public.stores to tally_ingest, tally_query;
grant select on public.workspaces to tally_query;
grant select on app.time_zones to authenticated, tally_query;
grant select on public.org_members, public.active_organizations to authenticated;
grant select (org_id, id, name, prefix, scopes, store_id, created_by, created_at, expires_at, revoked_at, last_used_at)
  on public.api_keys to authenticated;

grant select, insert, update, delete on
  public.organizations, public.workspaces, public.stores, public.org_members, public.active_organizations,
  public.api_keys
  to service_role;
do $$
declare
  v_table text;
begin
  foreach v_table in array array[
    'organizations', 'workspaces', 'stores', 'org_members', 'active_organizations', 'api_keys'
  ] loop
    -- On Supabase service_role bypasses row-level security; on plain Postgres this policy says the same.
    execute format(
      'create policy %I on public.%I for all to service_role using (true) with check (true)',
      v_table || '_service', v_table
    );
  end loop;
end
$$;

reset role;
