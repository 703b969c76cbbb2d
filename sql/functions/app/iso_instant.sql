-- An instant as RFC 3339 has it, in local time with the zone's offset: 2026-10-01T00:00:00-04:00.

set role tally_owner;

create or replace function app.iso_instant(p_instant timestamptz, p_zone text) returns text
  language plpgsql stable parallel safe set search_path = ''
as $$
declare
  v_offset constant interval := app.utc_offset(p_instant, p_zone);
begin
  return to_char(p_instant at time zone p_zone, 'YYYY-MM-DD"T"HH24:MI:SS') || case
    when v_offset < interval '0' then to_char(-v_offset, '-HH24:MI')
    else to_char(v_offset, '+HH24:MI')
  end;
end
$$;

comment on function app.iso_instant(timestamptz, text) is 'An instant in local time with its offset';
grant execute on function app.iso_instant(timestamptz, text) to tally_query, tally_token_hook;

reset role;
