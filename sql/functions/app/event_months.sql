-- The partitions of metric_events by month.

set role tally_owner;

create or replace function app.event_months()
  returns table (relation regclass, name text, starts timestamptz, ends timestamptz)
  language sql stable set search_path = ''
as $$
  select
    i.inhrelid::pg_catalog.regclass,
    to_char(m.month, 'YYYY-MM'),
    m.month at time zone 'UTC',
    (m.month + interval '1 month') at time zone 'UTC'
  from pg_catalog.pg_inherits i
  join pg_catalog.pg_class c on c.oid = i.inhrelid
  cross join lateral (
    select to_date(substring(c.relname from '^metric_events_(\d{6})$'), 'YYYYMM')::pg_catalog.timestamp
  ) as m(month)
  where i.inhparent = 'public.metric_events'::pg_catalog.regclass and m.month is not null
$$;

comment on function app.event_months() is 'The months that metric_events has a partition for';

reset role;
