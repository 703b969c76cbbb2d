-- A day of the rollups begins at its first instant wherever clocks were put back by more or less than an hour, too (Chita in 2014,
-- Colombo in 2006): those that are kept under a later instant of the day are moved there.

set role tally_owner;

-- Goes month by month now, and says how far it came.
drop function if exists app.merge_rollups(uuid, uuid, text, text[], timestamptz, timestamptz);

-- As app.clock_instant has it, which there is none of yet where this is applied to an empty database.
update public.metric_rollups r
set bucket_start = m.earlier
from (
  select r.ctid as place, e.earlier
  from public.metric_rollups r
  join public.stores s on s.org_id = r.org_id and s.id = r.store_id
  cross join lateral (select (r.bucket_start at time zone s.timezone)::date::timestamp as midnight) as d
  cross join lateral (select d.midnight at time zone s.timezone - interval '1 day' as day_before) as b
  cross join lateral (
    select (d.midnight - (b.day_before at time zone s.timezone - b.day_before at time zone 'UTC')) at time zone 'UTC' as earlier
  ) as e
  where r.grain = 'day' and e.earlier < r.bucket_start and e.earlier at time zone s.timezone = d.midnight
) as m
where r.ctid = m.place;

reset role;
