-- Rules that hold for every object of the schema, those of tomorrow too: read from the catalogue, not from a list of today's
-- tables. A rule is a view of what breaks it. Each is asked twice: as things are, where it must find nothing, and after
-- something was planted that breaks it, which it must find. What may break a rule stands in `exempt`, with the reason, and
-- must really break it.

begin;

create temporary table rule (name text primary key, says text not null);
create temporary table exempt (rule text, object text, why text not null, primary key (rule, object));
create temporary table plant (rule text, object text, sql text, primary key (rule, object));

-- The migration tool's own table, app.schema_migrations, is not ours.
create temporary view our_class as
  select c.oid, c.relname, c.relkind, c.relowner, c.relacl, c.relispartition, c.relrowsecurity, c.relforcerowsecurity,
    c.reloptions, n.nspname, format('%I.%I', n.nspname, c.relname) as object
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'app', 'api', 'private', 'partitions')
    and (n.nspname, c.relname) not in (('app', 'schema_migrations'), ('app', 'schema_migrations_pkey'));

create temporary view our_table as select * from our_class where relkind in ('r', 'p');

-- A column of a table that is no partition.
create temporary view our_column as
  select a.attrelid, a.attname, a.attnotnull, a.atttypid, a.attnum, t.object || '.' || a.attname as object, t.object as of_table
  from our_table t
  join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
  where not t.relispartition;

create temporary view our_function as
  select p.oid, p.proname, p.proowner, p.proacl, p.prosecdef, p.proconfig, p.prosrc, n.nspname,
    format('%I.%I', n.nspname, p.proname) as object
  from pg_proc p
  join pg_namespace n on n.oid = p.pronamespace
  where n.nspname in ('public', 'app', 'api', 'private', 'partitions');

create temporary view function_role as
  select r.* from pg_roles r where r.rolname ~ '^tally_' and r.rolname <> 'tally_owner';

-- Who may do what with a table, by a grant on it or on any of its columns; the owner by being the owner.
create temporary view table_grant as
  select t.oid, t.object, a.grantee, a.privilege_type as command
  from our_table t, aclexplode(coalesce(t.relacl, acldefault('r', t.relowner))) a
  union
  select t.oid, t.object, a.grantee, a.privilege_type
  from our_table t
  join pg_attribute c on c.attrelid = t.oid and not c.attisdropped, aclexplode(c.attacl) a;

-- A policy once for each role and command that it is for, with what it says, everything in it with its schema.
create function pg_temp.expression(p_tree pg_node_tree, p_table oid) returns text
  language sql stable set search_path = '' return coalesce(pg_get_expr(p_tree, p_table), '');
create temporary view policy_for as
  select t.oid, t.object, p.polname, p.polpermissive, r.grantee, c.command,
    pg_temp.expression(p.polqual, t.oid) || ' ' || pg_temp.expression(p.polwithcheck, t.oid) as says
  from our_table t
  join pg_policy p on p.polrelid = t.oid,
    unnest(p.polroles) as r(grantee),
    (values ('SELECT', 'r'), ('INSERT', 'a'), ('UPDATE', 'w'), ('DELETE', 'd')) as c(command, letter)
  where p.polcmd in ('*', c.letter::"char");

create function pg_temp.role_name(p_role oid) returns text
  language sql stable return case when p_role = 0 then 'PUBLIC' else pg_get_userbyid(p_role)::text end;

-- ---------------------------------------------------------------------------------------------------------------------
-- Row-level security

insert into rule values ('rls', 'row-level security is enabled and forced on every table and partition');
create temporary view rls as
  select object, 'row-level security is not enabled and forced' as problem
  from our_table
  where not (relrowsecurity and relforcerowsecurity);
insert into exempt values ('rls', 'app.time_zones', 'names that everybody may read; no tenant''s');
insert into plant values
  ('rls', 'public.planted', 'create table public.planted (id uuid); alter table public.planted enable row level security'),
  ('rls', 'partitions.planted', $$create table partitions.planted partition of public.metric_events
      for values from ('1960-01-01') to ('1960-02-01')$$);

insert into rule values ('grant_without_policy', 'whoever holds a grant has a policy for it');
create temporary view grant_without_policy as
  select g.object, format('%s may %s and has no policy for it', pg_temp.role_name(g.grantee), g.command) as problem
  from table_grant g
  join our_table t on t.oid = g.oid and t.relrowsecurity and not t.relispartition
  where g.command in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    and not exists (
      select from policy_for p where p.oid = g.oid and p.command = g.command and p.grantee in (g.grantee, 0)
    );
insert into plant values
  ('grant_without_policy', 'public.active_organizations', 'grant update (org_id) on public.active_organizations to tally_query');

insert into rule values ('policy_without_grant', 'whoever has a policy holds a grant for it');
create temporary view policy_without_grant as
  select p.object, format('%s is for %s to %s, who may not', p.polname, p.command, pg_temp.role_name(p.grantee)) as problem
  from policy_for p
  where not exists (
    select from table_grant g where g.oid = p.oid and g.command = p.command and g.grantee in (p.grantee, 0)
  );
insert into plant values
  ('policy_without_grant', 'public.workspaces',
    'create policy planted on public.workspaces for update to tally_ingest using (false)');

insert into rule values ('policy_for_everybody', 'no policy is for everybody, and every policy permits');
create temporary view policy_for_everybody as
  select distinct object, format('%s is for PUBLIC or restrictive', polname) as problem
  from policy_for
  where grantee = 0 or not polpermissive;
insert into plant values
  ('policy_for_everybody', 'public.workspaces', 'create policy planted on public.workspaces for select using (false)');

insert into rule values ('one_policy', 'one role has one policy for a command');
create temporary view one_policy as
  select object,
    format('%s has for %s: %s', pg_temp.role_name(grantee), command, string_agg(polname, ', ' order by polname)) as problem
  from policy_for
  group by object, grantee, command
  having count(*) > 1;
insert into plant values
  ('one_policy', 'public.stores', 'create policy planted on public.stores for select to tally_query using (false)');

-- A sub-select without rows of its own and without a column of the table is asked once a statement; any other call of a
-- function, once for each row.
insert into rule values ('init_plans', 'policies call functions in sub-selects that do not depend on the row');
create function pg_temp.without_init_plans(p_says text, p_table name) returns text language plpgsql as $$
declare
  v_rest text := regexp_replace(p_says, $re$'[^']*'$re$, '', 'g');
  v_from integer := 1;
  v_to integer;
  v_depth integer;
  v_group text;
begin
  loop
    exit when position('( SELECT ' in substr(v_rest, v_from)) = 0;
    v_from := v_from + position('( SELECT ' in substr(v_rest, v_from)) - 1;
    v_to := v_from;
    v_depth := 0;
    loop
      v_depth := v_depth + case substr(v_rest, v_to, 1) when '(' then 1 when ')' then -1 else 0 end;
      exit when v_depth = 0;
      v_to := v_to + 1;
    end loop;
    v_group := substr(v_rest, v_from, v_to - v_from + 1);
    if v_group ~ '\mFROM\M' or v_group ~ ('\m' || p_table || '\.') then
      v_from := v_from + 1; -- perhaps within it
    else
      v_rest := overlay(v_rest placing '' from v_from for length(v_group));
    end if;
  end loop;
  return v_rest;
end
$$;
create temporary view init_plans as
  select distinct p.object, format('%s calls %s for each row', p.polname, bare.call[1]) as problem
  from policy_for p
  join our_table t on t.oid = p.oid,
    regexp_matches(
      pg_temp.without_init_plans(p.says, t.relname), '(?:app|api|auth|private|public)\.[a-z_]+\(|current_setting\(', 'g'
    ) as bare(call);
insert into plant values
  ('init_plans', 'public.org_members', 'alter policy org_members_select on public.org_members using (org_id = app.org_id())'),
  ('init_plans', 'public.api_keys',
    'alter policy api_keys_select on public.api_keys using ((select app.org_id()) = org_id and (select app.has_scope(prefix)))'),
  ('init_plans', 'public.stores', $$alter policy stores_delete on public.stores
      using (exists (select from public.workspaces w where w.org_id = stores.org_id and w.org_id = app.org_id()))$$);

insert into rule values ('partitions_closed', 'partitions are reached through their parent only');
create temporary view partitions_closed as
  select t.object, format('%s may %s', pg_temp.role_name(g.grantee), g.command) as problem
  from our_table t
  join table_grant g on g.oid = t.oid and g.grantee <> t.relowner
  where t.nspname = 'partitions'
  union all
  select object, 'has the policy ' || polname from policy_for where object like 'partitions.%'
  union all
  select 'partitions', 'the schema can be used by ' || pg_temp.role_name(a.grantee)
  from pg_namespace n, aclexplode(n.nspacl) a
  where n.nspname = 'partitions' and a.grantee <> n.nspowner;
insert into plant values
  ('partitions_closed', 'partitions.metric_events_197001', $$select app.ensure_partition('1970-01-01');
     grant select on partitions.metric_events_197001 to authenticated$$),
  ('partitions_closed', 'partitions', 'grant usage on schema partitions to tally_query');

-- ---------------------------------------------------------------------------------------------------------------------
-- Tenancy

insert into rule values ('primary_key', 'every table has a primary key');
create temporary view primary_key as
  select object, 'has no primary key' as problem
  from our_table t
  where not exists (select from pg_constraint k where k.conrelid = t.oid and k.contype = 'p');
insert into plant values ('primary_key', 'app.planted', 'create table app.planted (id uuid)');

insert into rule values ('org_id_leads', 'every table has org_id, not null, in front of its primary key');
create temporary view org_id_leads as
  select t.object, 'org_id is missing, null, or not in front of the primary key' as problem
  from our_table t
  where not t.relispartition
    and not exists (
      select
      from our_column a
      join pg_constraint k on k.conrelid = a.attrelid and k.contype = 'p' and k.conkey[1] = a.attnum
      where a.attrelid = t.oid and a.attname = 'org_id' and a.attnotnull and a.atttypid = 'uuid'::regtype
    );
insert into exempt values
  ('org_id_leads', 'public.organizations', 'is the organization: its id is the org_id of the others'),
  ('org_id_leads', 'public.active_organizations', 'a user''s: one row for each, looked up by user'),
  ('org_id_leads', 'public.metric_definitions', 'the standard definitions are no organization''s'),
  ('org_id_leads', 'public.exchange_rates', 'the catalogue for all is no organization''s'),
  ('org_id_leads', 'app.time_zones', 'no tenant''s'),
  ('org_id_leads', 'app.plan_limits', 'no tenant''s'),
  ('org_id_leads', 'app.provisioning_failures', 'a user''s who has no organization yet');
insert into plant values
  ('org_id_leads', 'public.planted', 'create table public.planted (id uuid, org_id uuid, primary key (id, org_id))');

insert into rule values ('same_tenant', 'a foreign key between two tables of tenants holds org_id');
create temporary view same_tenant as
  select t.object, format('%s does not lead from org_id to org_id', k.conname) as problem
  from our_table t
  join pg_constraint k on k.conrelid = t.oid and k.contype = 'f' and k.conparentid = 0
  join our_column a on a.attrelid = k.conrelid and a.attname = 'org_id'
  join our_column f on f.attrelid = k.confrelid and f.attname = 'org_id'
  where array_position(k.conkey, a.attnum) is distinct from array_position(k.confkey, f.attnum)
    or not a.attnum = any (k.conkey);
insert into plant values
  ('same_tenant', 'public.planted', $$create table public.planted (
      org_id uuid not null, id uuid primary key, metric uuid references public.metric_definitions (id))$$);

insert into rule values ('goes_with_organization', 'what is a tenant''s goes with the tenant');
create temporary view goes_with_organization as
  select t.object, 'no foreign key with org_id deletes its rows with those of the organization' as problem
  from our_table t
  join our_column a on a.attrelid = t.oid and a.attname = 'org_id'
  where not exists (
    select from pg_constraint k
    where k.conrelid = t.oid and k.contype = 'f' and k.confdeltype = 'c' and a.attnum = any (k.conkey)
  );
insert into exempt values
  ('goes_with_organization', 'public.metric_events', 'a key would cost each event a look-up'),
  ('goes_with_organization', 'public.metric_rollups', 'as metric_events'),
  ('goes_with_organization', 'app.ingest_usage', 'removing an organization would wait for its batches'),
  ('goes_with_organization', 'app.deleted_stores', 'says what is left to remove when the organization is gone');
insert into plant values
  ('goes_with_organization', 'public.planted', $$create table public.planted (
      org_id uuid primary key references public.organizations (id))$$);

-- ---------------------------------------------------------------------------------------------------------------------
-- Keys, names, comments, types

insert into rule values ('foreign_key_index', 'an index begins with the columns of every foreign key');
create temporary view foreign_key_index as
  select t.object, 'no index begins with the columns of ' || k.conname as problem
  from our_table t
  join pg_constraint k on k.conrelid = t.oid and k.contype = 'f'
  where not exists (
    select from pg_index i
    where i.indrelid = k.conrelid and i.indisvalid and i.indpred is null
      and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
  );
insert into plant values
  ('foreign_key_index', 'public.stores', 'drop index public.stores_timezone_idx'),
  ('foreign_key_index', 'public.workspaces', $$alter table public.workspaces add by_user uuid, add constraint planted
      foreign key (org_id, by_user) references public.org_members (org_id, user_id)$$);

-- <table>_pkey, <table>_<columns>_key, <table>_<columns>_fkey, <table>_<what>_check, <table>_<columns>_idx.
insert into rule values ('names', 'constraints and indexes are named after their table and columns');
create temporary view names as
  select t.object, 'is not named by the convention: ' || k.conname as problem
  from our_table t
  join pg_constraint k on k.conrelid = t.oid and k.contype in ('p', 'u', 'f', 'c', 'x')
  cross join lateral (
    select string_agg(a.attname, '_' order by u.position) as columns
    from unnest(k.conkey) with ordinality as u(attnum, position)
    join pg_attribute a on a.attrelid = t.oid and a.attnum = u.attnum
  ) as named
  where not t.relispartition
    and not case k.contype
      when 'p' then k.conname = t.relname || '_pkey'
      when 'u' then k.conname = t.relname || '_' || named.columns || '_key'
      when 'f' then k.conname = t.relname || '_' || named.columns || '_fkey'
      when 'c' then k.conname ~ ('^' || t.relname || '_.+_check$')
      else k.conname ~ ('^' || t.relname || '_.+_excl$')
    end
  union all
  select t.object, 'is not named by the convention: ' || i.relname
  from our_table t
  join pg_index x on x.indrelid = t.oid
  join pg_class i on i.oid = x.indexrelid
  where not t.relispartition
    and not exists (select from pg_constraint k where k.conindid = x.indexrelid and k.contype in ('p', 'u', 'x'))
    and i.relname !~ ('^' || t.relname || '_.+_(idx|key)$');
insert into plant values
  ('names', 'public.stores', 'alter table public.stores add check (length(name) < 300)'),
  ('names', 'public.workspaces', 'alter table public.workspaces add check (name <> slug)'),
  ('names', 'public.api_keys', 'alter table public.api_keys add constraint prefixes unique (org_id, prefix)'),
  ('names', 'public.org_members', 'create index planted on public.org_members (joined_at)');

insert into rule values ('comments', 'every table, view, function and type is commented');
create temporary view comments as
  select object, 'has no comment' as problem
  from our_class
  where relkind in ('r', 'p', 'v', 'm', 'f') and obj_description(oid, 'pg_class') is null
  union all
  select object, 'has no comment' from our_function where obj_description(oid, 'pg_proc') is null
  union all
  select format('%I.%I', n.nspname, t.typname), 'has no comment'
  from pg_type t
  join pg_namespace n on n.oid = t.typnamespace
  where n.nspname in ('public', 'app', 'api', 'private') and t.typtype in ('e', 'd')
    and obj_description(t.oid, 'pg_type') is null;
insert into plant values
  ('comments', 'public.planted', 'create view public.planted as select 1'),
  ('comments', 'app.planted', 'create function app.planted() returns integer language sql return 1'),
  ('comments', 'public.planted_type', $$create type public.planted_type as enum ('a')$$);

-- Obvious: what the name and the type say wherever they stand.
insert into rule values ('column_comments', 'every column is commented whose name does not say it all');
create temporary view column_comments as
  select object, 'has no comment' as problem
  from our_column
  where col_description(attrelid, attnum) is null
    and attname not in (
      'id', 'org_id', 'workspace_id', 'store_id', 'user_id', 'name', 'display_name', 'role', 'plan_tier', 'created_at',
      'created_by', 'updated_at', 'added_at', 'joined_at', 'chosen_at', 'received_at', 'expires_at', 'revoked_at',
      'last_used_at', 'deleted_at', 'recorded_at', 'metric_key', 'value', 'count', 'sum', 'min', 'max'
    );
insert into plant values
  ('column_comments', 'public.stores.planted', 'alter table public.stores add planted text');

insert into rule values ('types', 'columns are of the few types that are used everywhere');
create temporary view types as
  select object, 'is of type ' || format_type(atttypid, null) as problem
  from our_column
  where atttypid <> all (array[
      'uuid', 'uuid[]', 'text', 'text[]', 'boolean', 'bigint', 'numeric', 'jsonb', 'bytea', 'timestamptz', 'date', 'interval'
    ]::regtype[])
    and not exists (
      select from pg_type e join pg_namespace n on n.oid = e.typnamespace
      where e.oid = atttypid and e.typtype = 'e' and n.nspname = 'public'
    );
insert into plant values
  ('types', 'public.stores.planted', 'alter table public.stores add planted timestamp'),
  ('types', 'public.workspaces.planted', 'alter table public.workspaces add planted regclass'),
  ('types', 'public.organizations.planted', 'alter table public.organizations add planted varchar(10)');

insert into rule values ('enums', 'there are three enums, and composites that functions hand to one another, and no other types or sequences');
create temporary view enums as
  select format('%I.%I', n.nspname, t.typname) as object, 'is a type of its own' as problem
  from pg_type t
  join pg_namespace n on n.oid = t.typnamespace
  where n.nspname in ('public', 'app', 'api', 'private', 'partitions')
    and (t.typtype in ('d', 'e', 'r') or exists (select from pg_class c where c.oid = t.typrelid and c.relkind = 'c'))
    and (n.nspname, t.typname) not in (
      ('public', 'plan_tier'), ('public', 'org_role'), ('public', 'sync_status'), ('app', 'event_series'), ('app', 'rollup_part'),
      ('app', 'question'), ('app', 'question_range'), ('app', 'question_metric'), ('app', 'question_part'), ('app', 'factor'),
      ('app', 'stretch'), ('app', 'atom'), ('app', 'question_group'), ('app', 'group_total'), ('app', 'series'), ('app', 'cell')
    )
  union all
  select object, 'is a sequence' from our_class where relkind = 'S'
  union all
  select expected.name, 'is missing'
  from (
    values ('public.plan_tier'), ('public.org_role'), ('public.sync_status'), ('app.event_series'), ('app.rollup_part'),
      ('app.question'), ('app.question_range'), ('app.question_metric'), ('app.question_part'), ('app.factor'),
      ('app.stretch'), ('app.atom'), ('app.question_group'), ('app.group_total'), ('app.series'), ('app.cell')
  ) as expected(name)
  where to_regtype(expected.name) is null;
insert into plant values
  ('enums', 'public.planted', $$create type public.planted as enum ('a')$$),
  ('enums', 'app.planted', 'create type app.planted as (a integer)'),
  ('enums', 'public.planted_id_seq', 'create table public.planted (id bigserial)'),
  ('enums', 'public.org_role', 'alter type public.org_role rename to planted');

-- ---------------------------------------------------------------------------------------------------------------------
-- Functions

insert into rule values ('search_path', 'every function has an empty search_path');
create temporary view search_path as
  select object, 'its search_path is not empty' as problem
  from our_function
  where not 'search_path=""' = any (coalesce(proconfig, '{}'));
insert into plant values
  ('search_path', 'app.planted', 'create function app.planted() returns integer language sql return 1'),
  ('search_path', 'app.slug', 'alter function app.slug(text) set search_path = public, pg_temp');

insert into rule values ('one_signature', 'a function''s name is its alone: what replaced another did not leave it behind');
create temporary view one_signature as
  select object, 'has several signatures' as problem from our_function group by object having count(*) > 1;
insert into plant values
  ('one_signature', 'app.slug', 'create function app.slug() returns integer language sql return 1');

-- A search for names of types in the bodies of security definer functions, written without a schema: those would be looked
-- for among temporary ones first. Names that are part of the grammar (bigint, boolean, interval …) always mean the system's.
insert into rule values ('definer_types', 'security definer functions name types in full');
create function pg_temp.bare_types(p_body text) returns table (found text) language sql immutable as $$
  with body as (
    select regexp_replace(regexp_replace(lower(p_body), '--[^\n]*', '', 'g'), $re$'[^']*'$re$, $re$''$re$, 'g') as text
  ),
  pattern as (
    select replace(
      p.pattern, 'TYPE',
      '(?:text|uuid|date|json|jsonb|timestamptz|bytea|bool|name|oid|inet|record|regclass|int4|int8|float8)'
    ) as pattern
    from (values
      ('::\s*(TYPE)\M'),                                     -- x::text
      ('\mcast\s*\([^()]*\mas\s+(TYPE)\s*\)'),               -- cast(x as text)
      ('\m(TYPE)\s+'''''),                                   -- date '2026-01-01'
      ('\m[vc]_[a-z_]+\s+(?:constant\s+)?(TYPE)\M'),         -- v_name text;
      ('[(,]\s*(?!select\M|distinct\M|by\M|as\M)[a-z_]+\s+(TYPE)\s*[,)]') -- as x(id uuid, name text)
    ) as p(pattern)
  )
  select m.match[1] from body, pattern, regexp_matches(body.text, pattern.pattern, 'g') as m(match)
$$;
create temporary view definer_types as
  select f.object, format('names the type %s without a schema', t.found) as problem
  from our_function f, pg_temp.bare_types(f.prosrc) t
  where f.prosecdef;
insert into plant
  select 'definer_types', 'app.planted_' || position, format(
    'create function app.planted_%s() returns integer language plpgsql security definer as %L', position, body
  )
  from unnest(array[
    'declare v_x text; begin return 1; end',
    'declare v_x constant uuid := null; begin return 1; end',
    'begin return 1::text::integer; end',
    'begin return cast(1 as text); end',
    $$begin return date '2026-01-01' - date '2025-12-31'; end$$,
    $$begin return (select count(*) from jsonb_to_recordset('[]') as r(a bigint, b text)); end$$
  ]) with ordinality as planted(body, position);

insert into rule values ('definers_exposed', 'what PostgREST shows has no security definer function that a client can call');
create temporary view definers_exposed as
  select object, 'runs as its owner for ' || pg_temp.role_name(a.grantee) as problem
  from our_function f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
  where f.nspname = 'public' and f.prosecdef and pg_temp.role_name(a.grantee) in ('PUBLIC', 'anon', 'authenticated');
insert into plant values
  ('definers_exposed', 'public.planted',
    'create function public.planted() returns integer language sql security definer return 1');

-- One function a route, for one role. A new one is entered here.
insert into rule values ('api', 'a function of api is executed by the one role it is for');
create temporary view api as
  with expected (object, role) as (
    values
      ('api.provision_user', 'tally_provision'),
      ('api.access_token_claims', 'tally_token_hook'),
      ('api.get_me', 'tally_token_hook'),
      ('api.set_active_organization', 'tally_token_hook'),
      ('api.create_api_key', 'tally_token_hook'),
      ('api.list_api_keys', 'tally_token_hook'),
      ('api.revoke_api_key', 'tally_token_hook'),
      ('api.ingest_events', 'tally_ingest'),
      ('api.delete_events', 'tally_ingest'),
      ('api.list_event_changes', 'tally_ingest'),
      ('api.list_quarantine', 'tally_ingest'),
      ('api.replay_quarantine', 'tally_ingest'),
      ('api.discard_quarantine', 'tally_ingest'),
      ('api.query_metrics', 'tally_query'),
      ('api.list_metrics', 'tally_query'),
      ('api.get_metric', 'tally_query'),
      ('api.put_metric', 'tally_query'),
      ('api.delete_metric', 'tally_query'),
      ('api.put_exchange_rates', 'tally_query'),
      ('api.list_exchange_rates', 'tally_query'),
      ('api.delete_exchange_rates', 'tally_query')
  ),
  granted as (
    select f.object, pg_temp.role_name(a.grantee) as role
    from our_function f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
    where f.nspname = 'api' and a.grantee <> f.proowner
  )
  select object, 'is executed by ' || role || ', and not expected to' as problem from granted
  where (object, role) not in (select object, role from expected)
  union all
  select object, 'is not executed by ' || role from expected where (object, role) not in (select object, role from granted)
  union all
  select object, 'is executed by nobody' from our_function
  where nspname = 'api' and object not in (select object from granted);
insert into plant values
  ('api', 'api.list_metrics', 'grant execute on function api.list_metrics(text) to tally_ingest'),
  ('api', 'api.planted', $$create function api.planted() returns integer language sql return 1;
      revoke execute on function api.planted() from public$$);

-- ---------------------------------------------------------------------------------------------------------------------
-- Who owns, who may

insert into rule values ('public_may_nothing', 'PUBLIC executes no function, creates nothing, and holds nothing');
create temporary view public_may_nothing as
  select object, 'PUBLIC may execute it' as problem
  from our_function f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
  where a.grantee = 0
  union all
  select n.nspname, 'PUBLIC may ' || a.privilege_type
  from pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
  where n.nspname in ('public', 'app', 'api', 'private', 'partitions') and a.grantee = 0
    and not (n.nspname = 'public' and a.privilege_type = 'USAGE')
  union all
  select object, 'PUBLIC may ' || command from table_grant where grantee = 0;
insert into plant values
  ('public_may_nothing', 'app.planted', 'create function app.planted() returns integer language sql return 1'),
  ('public_may_nothing', 'public', 'grant create on schema public to public'),
  ('public_may_nothing', 'app', 'grant usage on schema app to public'),
  ('public_may_nothing', 'public.stores', 'grant select (name) on public.stores to public');

insert into rule values ('owner_only', 'only the owner truncates, references, and adds triggers');
create temporary view owner_only as
  select g.object, format('%s may %s', pg_temp.role_name(g.grantee), g.command) as problem
  from table_grant g
  join our_table t on t.oid = g.oid and g.grantee <> t.relowner
  where g.command not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE');
insert into plant values ('owner_only', 'public.stores', 'grant truncate on public.stores to service_role');

insert into rule values ('owner', 'everything belongs to tally_owner');
create temporary view owner as
  select object, 'belongs to ' || pg_get_userbyid(relowner) as problem from our_class
  where pg_get_userbyid(relowner) <> 'tally_owner' and relkind <> 'i' and relkind <> 'I'
  union all
  select object, 'belongs to ' || pg_get_userbyid(proowner) from our_function where pg_get_userbyid(proowner) <> 'tally_owner'
  union all
  select format('%I.%I', n.nspname, t.typname), 'belongs to ' || pg_get_userbyid(t.typowner)
  from pg_type t
  join pg_namespace n on n.oid = t.typnamespace
  where n.nspname in ('public', 'app', 'api', 'private') and t.typtype in ('e', 'd')
    and pg_get_userbyid(t.typowner) <> 'tally_owner'
  union all
  select nspname, 'belongs to ' || pg_get_userbyid(nspowner) from pg_namespace
  where nspname in ('api', 'private', 'partitions') and pg_get_userbyid(nspowner) <> 'tally_owner';
insert into plant values
  ('owner', 'public.planted', 'create table public.planted (id uuid)'),
  ('owner', 'app.planted', 'create function app.planted() returns integer language sql return 1'),
  ('owner', 'public.planted_type', $$create type public.planted_type as enum ('a')$$),
  ('owner', 'api', 'alter schema api owner to current_user');

insert into rule values ('invoker_views', 'views see what their reader may see, and nothing is materialized or foreign');
create temporary view invoker_views as
  select object, 'shows what its owner may see' as problem from our_class
  where relkind in ('m', 'f') or (relkind = 'v' and not 'security_invoker=true' = any (coalesce(reloptions, '{}')));
insert into plant values
  ('invoker_views', 'public.planted', 'create view public.planted as select 1'),
  ('invoker_views', 'app.planted', 'create materialized view app.planted as select 1');

insert into rule values ('roles', 'our roles have no attribute that goes around the rules, and are members of nothing');
create temporary view roles as
  select r.rolname::text as object, 'may more than a role of ours should' as problem
  from pg_roles r
  where r.rolname ~ '^tally_'
    and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication
      or r.rolcanlogin = (r.rolname = 'tally_owner'))
  union all
  select r.rolname, 'is a member of ' || pg_get_userbyid(m.roleid)
  from pg_auth_members m
  join pg_roles r on r.oid = m.member
  where r.rolname ~ '^tally_';
insert into plant values
  ('roles', 'tally_ingest', 'alter role tally_ingest bypassrls'),
  ('roles', 'tally_query', 'grant tally_owner to tally_query'),
  ('roles', 'tally_owner', 'alter role tally_owner login');

insert into rule values ('roles_own_nothing', 'the roles of the functions own nothing');
create temporary view roles_own_nothing as
  select r.rolname::text as object, 'owns ' || pg_describe_object(d.classid, d.objid, d.objsubid) as problem
  from pg_shdepend d
  join function_role r on r.oid = d.refobjid
  where d.refclassid = 'pg_authid'::regclass and d.deptype = 'o'
    and d.dbid in (0, (select oid from pg_database where datname = current_database()));
insert into plant values
  ('roles_own_nothing', 'tally_ingest',
    $$create table app.planted (id uuid); grant create on schema app to tally_ingest;
      alter table app.planted owner to tally_ingest$$);

-- ---------------------------------------------------------------------------------------------------------------------

-- Whether a rule finds what is planted; nothing of it stays.
create function pg_temp.finds(p_rule text, p_object text, p_sql text) returns boolean language plpgsql as $$
declare
  v_found boolean;
begin
  begin
    execute p_sql;
    execute format('select exists (select from %I where object = %L)', p_rule, p_object) into v_found;
    raise exception sqlstate 'PLANT';
  exception when sqlstate 'PLANT' then
    return v_found;
  end;
end
$$;

-- Whether a rule is broken by what is exempt from it.
create function pg_temp.breaks(p_rule text, p_object text) returns boolean language plpgsql as $$
declare
  v_found boolean;
begin
  execute format('select exists (select from %I where object = %L)', p_rule, p_object) into v_found;
  return v_found;
end
$$;

select plan((2 * (select count(*) from rule) + (select count(*) from exempt) + (select count(*) from plant))::integer);

select is_empty(
  format('select object, problem from %1$I where object not in (select object from exempt where rule = %1$L)', name), says
)
from rule;

select ok(pg_temp.breaks(rule, object), format('exempt from %s: %s, since %s', rule, object, why)) from exempt;

-- What is planted was not there before, so that the rule finds it and not something else.
select ok(
  not pg_temp.breaks(rule, object) and pg_temp.finds(rule, object, sql),
  format('%s finds what is planted: %s', rule, regexp_replace(sql, '\s+', ' ', 'g'))
)
from plant;
select ok(exists (select from plant p where p.rule = r.name), 'something is planted for ' || r.name) from rule r;

select * from finish();
rollback;
