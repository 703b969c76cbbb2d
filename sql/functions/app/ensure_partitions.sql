-- Makes the partitions of this month and of some months ahead, so that the first event of a month finds its own. Answers the
-- months that it made.

set role tally_owner;

create or replace function app.ensure_partitions(p_months_ahead integer default 2) returns text[]
  language sql volatile security definer set search_path = ''
as $$
  select coalesce(array_agg(to_char(m.month, 'YYYY-MM') order by m.month), '{}')
  from (
    select (date_trunc('month', now() at time zone 'UTC') + make_interval(months => ahead))::pg_catalog.date as month
    from generate_series(0, p_months_ahead) as ahead
  ) as m
  where app.ensure_partition(m.month)
$$;

comment on function app.ensure_partitions(integer) is
  'Makes the partitions of this month and of some months ahead; answers those that it made';
grant execute on function app.ensure_partitions(integer) to service_role;

reset role;
