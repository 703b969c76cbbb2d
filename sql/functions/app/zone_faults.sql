-- What of a range in a zone cannot be told from rollups:
--
--   is_uneven       quarter hours do not tell local days and hours apart, since the zone keeps an offset that is no number of
--                   quarter hours (Monrovia until 1972) or changes its clock at another instant (St John's until 2011)
--   repeats_a_day   a clock is put back over midnight, in the range or within a day of it (Casey), so that a date comes twice
--                   and what the rollup of a day holds is no stretch of time

set role tally_owner;

create or replace function app.zone_faults(
  p_from timestamptz, p_to timestamptz, p_zone text, out is_uneven boolean, out repeats_a_day boolean
)
  language plpgsql stable set search_path = ''
as $$
declare
  c_quarter_hour constant numeric := 900;
begin
  select
    bool_or(extract(epoch from s.utc_offset) % c_quarter_hour <> 0
      or s.is_changed and extract(epoch from s.starts_at) % c_quarter_hour <> 0),
    coalesce(bool_or(
      s.is_changed
      and ((s.starts_at - interval '1 microsecond') at time zone p_zone)::date > (s.starts_at at time zone p_zone)::date
    ), false)
  into is_uneven, repeats_a_day
  from (
    select s.*, s.starts_at > p_from - interval '1 day' as is_changed
    from app.zone_segments(p_from - interval '1 day', p_to + interval '1 day', p_zone) as s
  ) as s;
end
$$;

comment on function app.zone_faults(timestamptz, timestamptz, text) is 'What of a range in a zone cannot be told from rollups';
grant execute on function app.zone_faults(timestamptz, timestamptz, text) to tally_query;

reset role;
