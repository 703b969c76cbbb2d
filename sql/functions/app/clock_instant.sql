-- The instant at which the clocks of a zone show a local time; the earlier one where they do twice, and where they never do, as much
-- later as the clock was put forward.

set role tally_owner;

create or replace function app.clock_instant(p_time timestamp, p_zone text) returns timestamptz
  language plpgsql stable set search_path = ''
as $$
declare
  -- Of two Postgres takes the later one.
  v_instant constant timestamptz := p_time at time zone p_zone;
  v_earlier constant timestamptz := 
    (p_time - ((v_instant - interval '1 day') at time zone p_zone - (v_instant - interval '1 day') at time zone 'UTC')) at time zone 'UTC';
begin
  return case when v_earlier < v_instant and v_earlier at time zone p_zone = p_time then v_earlier else v_instant end;
end
$$;

comment on function app.clock_instant(timestamp, text) is 'The instant at which the clocks of a zone show a local time';
grant execute on function app.clock_instant(timestamp, text) to tally_query;

reset role;
