-- A time as a query gives it: with a Z it is an instant, without it a local time in the zone, and at midnight the start of
-- the local day.

set role tally_owner;

create or replace function app.local_instant(p_time text, p_zone text) returns timestamptz
  language sql stable set search_path = ''
as $$
  select case
    when p_time like '%Z' then p_time::timestamptz
    when p_time like '%T00:00:00' then app.day_start(p_time::timestamp::date, p_zone)
    else p_time::timestamp at time zone p_zone
  end
$$;

comment on function app.local_instant(text, text) is 'A local time or an instant, as an instant';
grant execute on function app.local_instant(text, text) to tally_query;

reset role;
