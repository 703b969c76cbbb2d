-- The instant of the same local time so much earlier; the start of a local day becomes the start of a day.

set role tally_owner;

create or replace function app.earlier(p_instant timestamptz, p_zone text, p_by interval) returns timestamptz
  language plpgsql stable set search_path = ''
as $$
declare
  v_date constant date := p_instant at time zone p_zone;
begin
  if p_instant = app.day_start(v_date, p_zone) then
    return app.day_start((v_date - p_by)::date, p_zone);
  end if;
  return ((p_instant at time zone p_zone) - p_by) at time zone p_zone;
end
$$;

comment on function app.earlier(timestamptz, text, interval) is 'The instant of the same local time so much earlier';
grant execute on function app.earlier(timestamptz, text, interval) to tally_query;

reset role;
