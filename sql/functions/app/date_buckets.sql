-- The days, weeks, months, quarters or years of a range, each from its first instant in the range, in order. A day that the zone left out
-- (Samoa, 30 December 2011) has none, and its place stays empty.
--
--   p_changes   the instants at which the zone's clocks change, in the range or within two days of it: elsewhere a local time is one
--               instant, which needs no app.clock_instant

set role tally_owner;

create or replace function app.date_buckets(
  p_from timestamptz,
  p_to timestamptz,
  p_granularity text,
  p_length interval,
  p_week_start integer,
  p_zone text,
  p_changes timestamptz[]
) returns table (start timestamptz, place integer)
  language plpgsql stable set search_path = ''
as $$
declare
  c_margin constant interval := interval '48 hours';
  v_shift constant interval := case p_granularity when 'week' then p_week_start else 0 end * interval '1 day';
  v_first constant timestamp := date_trunc(p_granularity, (p_from at time zone p_zone) - v_shift) + v_shift;
begin
  return query
    select b.start, b.place::integer
    from (
      select d.start, d.place, lead(d.start, 1, p_to) over (order by d.place) as next_start
      from (
        select
          g.place,
          greatest(
            case
              when width_bucket(g.at - c_margin, p_changes) = width_bucket(g.at + c_margin, p_changes) then g.at
              else app.clock_instant(g.date, p_zone)
            end,
            p_from
          ) as start
        from (
          select g.date, g.place, g.date at time zone p_zone as at
          from generate_series(
            -- Up to the local time of the last instant: one microsecond taken from the local time of p_to would not do, since
            -- where midnight is left out that is an hour into the day.
            v_first, greatest((p_to - interval '1 microsecond') at time zone p_zone, v_first), p_length
          ) with ordinality as g(date, place)
          offset 0
        ) as g
      ) as d
    ) as b
    where b.start < b.next_start
    order by b.place;
end
$$;

comment on function app.date_buckets(timestamptz, timestamptz, text, interval, integer, text, timestamptz[]) is
  'The days, weeks, months, quarters or years of a range';
grant execute on function app.date_buckets(timestamptz, timestamptz, text, interval, integer, text, timestamptz[]) to tally_query;

reset role;
