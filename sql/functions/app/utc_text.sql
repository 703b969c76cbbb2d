-- An instant as RFC 3339 has it, in UTC, to the microsecond where it has any: what an event is known by, to be sent back as it is.

set role tally_owner;

create or replace function app.utc_text(p_instant timestamptz) returns text
  language plpgsql immutable parallel safe set search_path = ''
as $$
begin
  return replace(to_char(p_instant at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z');
end
$$;

comment on function app.utc_text(timestamptz) is 'An instant in UTC, to the microsecond';
grant execute on function app.utc_text(timestamptz) to tally_ingest, tally_query;

reset role;
