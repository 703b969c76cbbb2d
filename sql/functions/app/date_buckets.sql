-- The days, weeks, months, quarters or years of a range, each from its first instant in the range. A day that the zone left out (Samoa, 30 December 2011) has none, and its place stays empty.

set role tally_owner;

create or replace function app.date_buckets(
  p_from timestamptz, p_to timestamptz, p_granularity text, p_length interval, p_week_start integer, p_zone text
) returns table (start timestamptz, place integer)
  language plpgsql stable set search_path = ''
as $$
declare
  v_shift constant interval := case p_granularity when 'week' then p_week_start else 0 end * interval '1 day';
  v_first constant timestamp := date_trunc(p_granularity, (p_from at time zone p_zone) - v_shift) + v_shift;
begin
  return query
    select b.start, b.place::integer
    from (
      select d.start, d.place, lead(d.start, 1, p_to) over (order by d.date) as next_start
      from (
        select g.date, greatest(app.clock_instant(g.date::date, p_zone), p_from) as start, g.place
        from generate_series(
          -- Up to the local time of the last instant: one microsecond taken from the local time of p_to would not do, since
          -- where midnight is left out that is an hour into the day.
          v_first, greatest((p_to - interval '1 microsecond') at time zone p_zone, v_first), p_length
        ) with ordinality as g(date, place)
      ) as d
    ) as b
    where b.start < b.next_start;
end
$$;

comment on function app.date_buckets(timestamptz, timestamptz, text, interval, integer, text) is
  'The days, weeks, months, quarters or years of a range';
grant execute on function app.date_buckets(timestamptz, timestamptz, text, interval, integer, text) to tally_query;

reset role;
