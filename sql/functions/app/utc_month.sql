-- The first day of the month of UTC that an instant is in.

set role tally_owner;

create or replace function app.utc_month(p_instant timestamptz) returns date
  language plpgsql stable parallel safe set search_path = ''
as $$
begin
  return date_trunc('month', p_instant at time zone 'UTC')::pg_catalog.date;
end
$$;

comment on function app.utc_month(timestamptz) is 'The month of UTC that an instant is in';
grant execute on function app.utc_month(timestamptz) to tally_ingest;

reset role;
