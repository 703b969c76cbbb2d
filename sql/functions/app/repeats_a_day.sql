-- Whether a zone puts its clock back over midnight, in a range or within a day of it (Casey, St John's until 2011): then a date comes
-- twice, and what the rollup of a day holds is no stretch of time.

set role tally_owner;

create or replace function app.repeats_a_day(p_from timestamptz, p_to timestamptz, p_zone text) returns boolean
  language plpgsql stable set search_path = ''
as $$
begin
  return exists (
    select
    from app.zone_segments(p_from - interval '1 day', p_to + interval '1 day', p_zone) as s
    where s.starts_at > p_from - interval '1 day'
      and ((s.starts_at - interval '1 microsecond') at time zone p_zone)::date > (s.starts_at at time zone p_zone)::date
  );
end
$$;

comment on function app.repeats_a_day(timestamptz, timestamptz, text) is
  'Whether a zone puts its clock back over midnight, in a range or within a day of it';
grant execute on function app.repeats_a_day(timestamptz, timestamptz, text) to tally_query;

reset role;
