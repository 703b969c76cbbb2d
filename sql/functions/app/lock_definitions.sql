-- Lets the definitions of an organization, or the standard ones (null), change one at a time until the end of the transaction.

set role tally_owner;

create or replace function app.lock_definitions(p_org_id uuid) returns void
  language plpgsql volatile set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('metric_definitions ' || coalesce(p_org_id::text, ''), 0));
end
$$;

comment on function app.lock_definitions(uuid) is 'Lets definitions of an organization change one at a time';
grant execute on function app.lock_definitions(uuid) to authenticated, service_role, tally_query;

reset role;
