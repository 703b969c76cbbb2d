-- Whether clocks are put back over midnight (Casey, St John's until 2011): then a date comes twice, and what the rollup of a day holds
-- is no stretch of time.
--
--   p_changes, p_offsets   the stretches in which a zone keeps one offset, see app.zone_segments: where each begins, and its offset

set role tally_owner;

create or replace function app.repeats_a_day(p_changes timestamptz[], p_offsets interval[]) returns boolean
  language plpgsql stable set search_path = ''
as $$
begin
  return exists (
    select
    from generate_series(2, cardinality(p_changes)) as c(n)
    cross join lateral (select p_changes[c.n] at time zone 'UTC' as at) as u
    where (u.at + p_offsets[c.n - 1] - interval '1 microsecond')::date > (u.at + p_offsets[c.n])::date
  );
end
$$;

comment on function app.repeats_a_day(timestamptz[], interval[]) is 'Whether clocks are put back over midnight';
grant execute on function app.repeats_a_day(timestamptz[], interval[]) to tally_query;

reset role;
