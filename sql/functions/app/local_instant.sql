-- A time as a query gives it: with a Z it is an instant, without it a local time in the zone, and at midnight the start of
-- the local day.

set role tally_owner;

create or replace function app.local_instant(p_time text, p_zone text) returns timestamptz
  language sql stable set search_path = ''
as $$
  select case
    when p_time like '%Z' then p_time::timestamptz
    else app.clock_instant(p_time::timestamp, p_zone)
  end
$$;

comment on function app.local_instant(text, text) is 'A local time or an instant, as an instant';
grant execute on function app.local_instant(text, text) to tally_query;

reset role;
