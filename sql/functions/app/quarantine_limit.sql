-- How many rejected events are kept for the organization of the request, by its plan; none for a plan that is not there.
--
-- Security definer: plans are not the tenants' to read.

set role tally_owner;

create or replace function app.quarantine_limit() returns bigint
  language sql stable security definer set search_path = ''
as $$
  select coalesce((
    select l.quarantined_events
    from public.organizations o
    join app.plan_limits l on l.plan_tier = o.plan_tier
    where o.id = (select app.org_id())
  ), 0)
$$;

comment on function app.quarantine_limit() is 'How many rejected events are kept for the organization';
grant execute on function app.quarantine_limit() to tally_ingest;

reset role;
