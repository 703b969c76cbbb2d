-- How much the organization of the request may send by its plan, and how much it has sent: in the minute and the month of now.
-- A quota is null where there is none. What batches that are still under way have sent is not in it.
--
-- Security definer: plans and counts are not the tenants' to read.

set role tally_owner;

create or replace function app.ingest_limits(
  out minute_quota bigint, out minute_used bigint, out month_quota bigint, out month_used bigint
)
  language plpgsql stable security definer set search_path = ''
as $$
begin
  select
    l.events_per_minute,
    coalesce(sum(u.minute_events) filter (where u.minute = date_trunc('minute', now())), 0)::pg_catalog.int8,
    l.events_per_month,
    coalesce(sum(u.month_events) filter (where u.month = app.utc_month(now())), 0)::pg_catalog.int8
  into minute_quota, minute_used, month_quota, month_used
  from public.organizations o
  left join app.plan_limits l on l.plan_tier = o.plan_tier
  left join app.ingest_usage u on u.org_id = o.id
  where o.id = (select app.org_id())
  group by l.events_per_minute, l.events_per_month;
end
$$;

comment on function app.ingest_limits() is 'The limits of the organization''s plan, and what it has sent so far';
grant execute on function app.ingest_limits() to tally_ingest;

reset role;
