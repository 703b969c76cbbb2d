-- Takes away what nobody needs, and gives what was missing.

set role tally_owner;

-- Events and their rollups are one: who wrote the one without the other would make every answer wrong. So they are written by
-- api.ingest_events and removed by app.maintain alone.
revoke insert, update, delete on public.metric_events, public.metric_rollups from service_role;
drop policy metric_events_service on public.metric_events;
create policy metric_events_service on public.metric_events for select to service_role using (true);
drop policy metric_rollups_service on public.metric_rollups;
create policy metric_rollups_service on public.metric_rollups for select to service_role using (true);

revoke select on public.organizations from tally_ingest, tally_query;
revoke select on public.workspaces, public.metric_events from tally_query;

-- A visitor sees nothing, so no policy asks anything for one.
revoke execute on all functions in schema app from anon;

-- app.keep_rollup_dimensions and app.check_metric_definition guard what was kept by nobody having the right.
grant update (metadata) on public.metric_definitions to authenticated;
-- Not the id, whose key is over all organizations: a refusal would tell that somebody has it.
revoke insert on public.metric_definitions from authenticated;
grant insert (org_id, key, source, display_name, unit, aggregation_method, category, metadata, description)
  on public.metric_definitions to authenticated;

-- The policies for roles that have no such right any more.
alter policy organizations_select on public.organizations to authenticated;
alter policy workspaces_select on public.workspaces to authenticated;
alter policy metric_events_select on public.metric_events to authenticated, tally_ingest;

reset role;

-- Its owner is whoever migrates.
revoke usage on schema app from anon;
