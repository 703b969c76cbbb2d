-- How far the clocks of a zone are before UTC at an instant.

set role tally_owner;

create or replace function app.utc_offset(p_instant timestamptz, p_zone text) returns interval
  language plpgsql stable parallel safe set search_path = ''
as $$
begin
  return (p_instant at time zone p_zone) - (p_instant at time zone 'UTC');
end
$$;

comment on function app.utc_offset(timestamptz, text) is 'How far the clocks of a zone are before UTC at an instant';
grant execute on function app.utc_offset(timestamptz, text) to tally_query, tally_token_hook;

reset role;
