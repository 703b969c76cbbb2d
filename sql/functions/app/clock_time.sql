-- What the clocks of a zone show at a time as a query gives it, see app.local_instant: a local time is that already.

set role tally_owner;

create or replace function app.clock_time(p_time text, p_zone text) returns timestamp
  language plpgsql stable set search_path = ''
as $$
begin
  return case when p_time like '%Z' then p_time::timestamptz at time zone p_zone else p_time::timestamp end;
end
$$;

comment on function app.clock_time(text, text) is 'What the clocks of a zone show at a time as a query gives it';
grant execute on function app.clock_time(text, text) to tally_query;

reset role;
