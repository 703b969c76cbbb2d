-- Up to when a plan closes the months, by how many whole ones it keeps besides the current one; null for one that keeps all.

set role tally_owner;

create or replace function app.plan_closed_before(p_retention_months bigint) returns timestamptz
  language sql stable set search_path = ''
as $$
  select (date_trunc('month', now() at time zone 'UTC') - make_interval(months => p_retention_months::integer)) at time zone 'UTC'
$$;

comment on function app.plan_closed_before(bigint) is 'Up to when a plan closes the months, null for never';

reset role;
