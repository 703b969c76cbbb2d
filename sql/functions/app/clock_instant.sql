-- The instant at which the clocks of a zone show a local time; the earlier one where they do twice, and where they never do, as much
-- later as the clock was put forward.

set role tally_owner;

create or replace function app.clock_instant(p_time timestamp, p_zone text) returns timestamptz
  language plpgsql stable parallel safe set search_path = ''
as $$
declare
  -- Of two Postgres takes the later one.
  v_instant constant pg_catalog.timestamptz := p_time at time zone p_zone;
  v_day_before constant pg_catalog.timestamptz := v_instant - '1 day'::pg_catalog.interval;
  v_earlier constant pg_catalog.timestamptz :=
    (p_time - (v_day_before at time zone p_zone - v_day_before at time zone 'UTC')) at time zone 'UTC';
begin
  return case when v_earlier < v_instant and v_earlier at time zone p_zone = p_time then v_earlier else v_instant end;
end
$$;

comment on function app.clock_instant(timestamp, text) is 'The instant at which the clocks of a zone show a local time';
grant execute on function app.clock_instant(timestamp, text) to tally_ingest, tally_query;

reset role;
