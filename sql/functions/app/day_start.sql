-- The first instant of a local day, see app.clock_instant. Where midnight comes twice (Havana, in autumn) it is the earlier one, where
-- it is left out (Beirut, in spring) the instant the clock jumps to.

set role tally_owner;

create or replace function app.day_start(p_day date, p_zone text) returns timestamptz
  language plpgsql stable parallel safe set search_path = ''
as $$
begin
  return app.clock_instant(p_day, p_zone);
end
$$;

comment on function app.day_start(date, text) is 'The first instant of a local day';
grant execute on function app.day_start(date, text) to tally_ingest, tally_query;

reset role;
