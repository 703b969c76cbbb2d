-- The first instant of a local day. Where midnight comes twice (Havana, in autumn) it is the earlier one, which Postgres
-- alone would not choose; where midnight is left out (Beirut, in spring) it is the instant the clock jumps to.

set role tally_owner;

create or replace function app.day_start(p_day date, p_zone text) returns timestamptz
  language plpgsql stable parallel safe set search_path = ''
as $$
begin
  return case
    when ((p_day::timestamp at time zone p_zone) - interval '1 hour') at time zone p_zone >= p_day::timestamp
    then (p_day::timestamp at time zone p_zone) - interval '1 hour'
    else p_day::timestamp at time zone p_zone
  end;
end
$$;

comment on function app.day_start(date, text) is 'The first instant of a local day';
grant execute on function app.day_start(date, text) to tally_ingest, tally_query;

reset role;
