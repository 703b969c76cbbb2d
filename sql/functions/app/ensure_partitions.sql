-- Makes the partitions of this month and the next, so that the first event of a month finds its own.

set role tally_owner;

create or replace function app.ensure_partitions() returns void
  language sql volatile security definer set search_path = ''
as $$
  select app.ensure_partition((date_trunc('month', now() at time zone 'UTC') + make_interval(months => ahead))::pg_catalog.date)
  from generate_series(0, 1) as ahead
$$;

comment on function app.ensure_partitions() is 'Makes the partitions of this month and the next';
grant execute on function app.ensure_partitions() to service_role;

reset role;
