-- The schemas, and the readers of the claims that every policy is written with.
--
--   public      the tenants' tables: what PostgREST shows, under row-level security
--   app         what the database needs for itself
--   api         one function a route: all that the four functions can execute
--   partitions  the months of metric_events; no grants, reached only through the parent table

grant create, usage on schema public to tally_owner;

-- The migration tool may have made app already, for its own table.
create schema if not exists app;
grant create, usage on schema app to tally_owner;
grant usage on schema app to anon, authenticated, service_role, tally_ingest, tally_query;
create schema api authorization tally_owner;
create schema partitions authorization tally_owner;

set role tally_owner;

comment on schema api is 'One function a route: all that the HTTP functions can execute';
comment on schema partitions is 'The months of metric_events, reached only through the parent table';

grant usage on schema api to tally_provision, tally_token_hook, tally_ingest, tally_query;

-- Functions are executable by everybody unless the default is taken away.
alter default privileges for role tally_owner revoke execute on functions from public;

create function app.claims() returns jsonb
  language sql stable set search_path = ''
  return coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb;

comment on function app.claims() is
  'The verified claims of the request: set by PostgREST on Supabase, by app.assume_authority under the HTTP functions';

create function app.claimed_uuid(p_claim text) returns uuid
  language sql stable set search_path = ''
  return case
    when app.claims() ->> p_claim ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
    then (app.claims() ->> p_claim)::uuid
  end;

comment on function app.claimed_uuid(text) is 'A claim as a uuid; null, and so nothing to see, where it is missing or malformed';

create function app.org_id() returns uuid
  language sql stable set search_path = ''
  return app.claimed_uuid('org_id');

comment on function app.org_id() is 'The organization of the request';

create function app.user_id() returns uuid
  language sql stable set search_path = ''
  return app.claimed_uuid('sub');

comment on function app.user_id() is 'The user of the request; null for an API key';

create function app.user_role() returns text
  language sql stable set search_path = ''
  return app.claims() ->> 'user_role';

comment on function app.user_role() is 'owner, admin, member or viewer for a user; api_key for an API key';

create function app.has_scope(p_scope text) returns boolean
  language sql stable set search_path = ''
  return coalesce(app.claims() -> 'scopes' ? p_scope, false);

comment on function app.has_scope(text) is 'Whether the API key of the request carries a scope';

create function app.may_write_events() returns boolean
  language sql stable set search_path = ''
  return coalesce(app.user_role() in ('owner', 'admin', 'member'), false)
    or (app.user_role() = 'api_key' and app.has_scope('events:write'));

comment on function app.may_write_events() is 'Members and up write events, and API keys with the scope events:write';

create function app.may_read_metrics() returns boolean
  language sql stable set search_path = ''
  return coalesce(app.user_role() in ('owner', 'admin', 'member', 'viewer'), false)
    or (app.user_role() = 'api_key' and app.has_scope('metrics:read'));

comment on function app.may_read_metrics() is 'Every member reads, and API keys with the scope metrics:read';

create function app.is_manager() returns boolean
  language sql stable set search_path = ''
  return coalesce(app.user_role() in ('owner', 'admin'), false);

comment on function app.is_manager() is 'Owners and admins manage what an organization holds';

create function app.key_store_id() returns uuid
  language sql stable set search_path = ''
  return app.claimed_uuid('store_id');

comment on function app.key_store_id() is 'The one store that the API key of the request is tied to, if it is';

grant execute on function
  app.claims(), app.claimed_uuid(text), app.org_id(), app.user_id(), app.user_role(), app.has_scope(text),
  app.may_write_events(), app.may_read_metrics(), app.is_manager(), app.key_store_id()
  to anon, authenticated, service_role, tally_ingest, tally_query;

reset role;
