-- Distributes the tables over the nodes of a Citus cluster, by organization. Once, with psql, as a superuser on the
-- coordinator, after `tally migrate` (which does not apply this file) and before or after there is data:
--
--   psql "$DATABASE_URL" -X --set ON_ERROR_STOP=1 --file sql/citus/distribute.sql
--
-- What an organization has is distributed by org_id, all in one group, so that its rows lie on one node together. What is
-- looked up by somebody other than the organization, or is the same for all, is copied to every node.
--
-- sql/README.md says what of this was tried, and what was not.

-- Foreign keys go first and come back last, since no order of the tables would fit: a key from a table that waits for its
-- turn to one that is distributed already is refused.
create temporary table foreign_key as
  select k.conrelid::regclass as relation, k.conname as name, pg_get_constraintdef(k.oid) as definition
  from pg_constraint k
  join pg_namespace n on n.oid = k.connamespace
  where k.contype = 'f' and k.conparentid = 0 and n.nspname in ('public', 'app', 'private');
select format('alter table %s drop constraint %I', relation, name) from foreign_key
\gexec

-- A trigger runs on each node that has the row. Citus asks for this word, since such a trigger must not depend on rows of
-- other nodes: ours look at copied tables and at rows of the same organization. Those that set updated_at give each copy of a
-- row of a copied table the time of its own node.
set citus.enable_unsafe_triggers to on;

-- Copied to every node.
select create_reference_table('app.time_zones');
select create_reference_table('app.plan_limits');
select create_reference_table('app.provisioning_failures'); -- by user: there is no organization yet
select create_reference_table('public.organizations'); -- its own key, and a slug that is unique over all
select create_reference_table('public.org_members'); -- found by user, before the organization is known
select create_reference_table('public.active_organizations'); -- as org_members
select create_reference_table('public.metric_definitions'); -- the standard ones are no organization's
select create_reference_table('public.exchange_rates'); -- as metric_definitions

-- Distributed by organization.
select create_distributed_table('public.workspaces', 'org_id');
select create_distributed_table('public.workspace_members', 'org_id', colocate_with => 'public.workspaces');
select create_distributed_table('public.stores', 'org_id', colocate_with => 'public.workspaces');
select create_distributed_table('public.api_keys', 'org_id', colocate_with => 'public.workspaces');
select create_distributed_table('public.metric_events', 'org_id', colocate_with => 'public.workspaces');
select create_distributed_table('public.metric_rollups', 'org_id', colocate_with => 'public.workspaces');
select create_distributed_table('app.rollup_rebuilds', 'org_id', colocate_with => 'public.workspaces');
select create_distributed_table('app.closed_dimensions', 'org_id', colocate_with => 'public.workspaces');
select create_distributed_table('public.quarantined_events', 'org_id', colocate_with => 'public.workspaces');
select create_distributed_table('public.integration_connections', 'org_id', colocate_with => 'public.workspaces');
select create_distributed_table('public.sync_jobs', 'org_id', colocate_with => 'public.workspaces');
select create_distributed_table('private.integration_secrets', 'org_id', colocate_with => 'public.workspaces');
select create_distributed_table('public.event_changes', 'org_id', colocate_with => 'public.workspaces');
select create_distributed_table('app.retention', 'org_id', colocate_with => 'public.workspaces');
select create_distributed_table('app.ingest_usage', 'org_id', colocate_with => 'public.workspaces');
select create_distributed_table('app.deleted_stores', 'org_id', colocate_with => 'public.workspaces');

reset citus.enable_unsafe_triggers;

select format('alter table %s add constraint %I %s', relation, name, definition) from foreign_key
\gexec
drop table foreign_key;

-- Policies are asked on the node that has the rows, and read the claims there: what a request sets for its transaction with
-- `set local` goes along to the nodes. Without this they see no claims, and so no rows.
alter role tally_ingest set citus.propagate_set_commands = 'local';
alter role tally_query set citus.propagate_set_commands = 'local';
alter role tally_token_hook set citus.propagate_set_commands = 'local';
