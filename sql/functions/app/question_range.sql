-- The buckets of a range. Each lasts until the next one begins.
--
-- Where one begins or ends at an instant that is no quarter hour, the range is uneven: rollups cannot tell its buckets apart.
--
-- Places count the buckets by the local clock, and repeats those of one place, so that a range can be compared with another.
--
-- Errors: TH006 too long, or more than 11,000 buckets.

set role tally_owner;

create or replace function app.question_range(
  p_question app.question, p_range integer, p_from timestamptz, p_to timestamptz
) returns app.question_range
  language plpgsql stable set search_path = ''
as $$
declare
  c_max_buckets constant integer := 11000;
  c_quarter constant interval := interval '15 minutes';
  c_origin constant timestamptz := '2000-01-01Z';
  c_max_years constant interval := interval '100 years';
  c_lengths constant jsonb := '{"15m": "15 minutes", "hour": "1 hour", "day": "1 day", "week": "7 days", "month": "1 month", "quarter": "3 months", "year": "1 year"}';
  v_length constant interval := (c_lengths ->> p_question.granularity)::interval;
  v_zone constant text := p_question.timezone;
  v_range app.question_range;
  -- Where the zone's clocks change, in the range or near it, and how far they are before UTC from there on.
  v_changes timestamptz[];
  v_offsets interval[];
  v_offset_texts text[];
begin
  v_range.question := p_question.number;
  v_range.range := p_range;
  v_range.starts_at := p_from;
  v_range.ends_at := p_to;
  if p_to > p_from + least(v_length * (c_max_buckets + 1), c_max_years) then
    raise exception using errcode = 'TH006', message = format(
      'the range is longer than %s buckets or 100 years; ask for a shorter one or longer buckets', c_max_buckets
    );
  end if;
  select
    array_agg(s.starts_at), array_agg(s.utc_offset),
    array_agg(to_char(greatest(s.utc_offset, -s.utc_offset), case when s.utc_offset < '0' then '-' else '+' end || 'HH24:MI'))
  into v_changes, v_offsets, v_offset_texts
  from app.zone_segments(p_from - interval '48 hours', p_to + interval '48 hours', v_zone) as s;
  v_range.has_whole_days := p_question.granularity not in ('15m', 'hour')
    and p_from = app.clock_instant((p_from at time zone v_zone)::date, v_zone)
    and p_to = app.clock_instant((p_to at time zone v_zone)::date, v_zone)
    and not app.repeats_a_day(v_changes, v_offsets);

  if p_question.granularity = 'none' then
    v_range.starts := array[p_from];
    v_range.places := '{1}';
    v_range.repeats := '{1}';
  elsif p_question.granularity not in ('15m', 'hour') then
    select array_agg(b.start), array_agg(b.place)
    into v_range.starts, v_range.places
    from app.date_buckets(p_from, p_to, p_question.granularity, v_length, p_question.week_start, v_zone, v_changes) as b;
    v_range.repeats := array_fill(1, array[cardinality(v_range.starts)]);
  else
    select array_agg(b.start), array_agg(b.place), array_agg(b.repeat)
    into v_range.starts, v_range.places, v_range.repeats
    from app.clock_buckets(p_from, p_to, v_length, v_zone) as b;
  end if;
  if cardinality(v_range.starts) > c_max_buckets then
    raise exception using errcode = 'TH006', message = format('more than %s buckets', c_max_buckets);
  end if;

  -- Without an odd offset or change there can be no odd edge, and seldom is one.
  v_range.is_uneven := (
    exists (select from unnest(v_offsets) as o(utc_offset) where extract(epoch from o.utc_offset)::integer % 900 <> 0)
    or exists (select from unnest(v_changes || p_to) as c(edge) where c.edge <> date_bin(c_quarter, c.edge, c_origin))
  ) and exists (
    select from unnest(v_range.starts || p_to) as s(edge) where s.edge <> date_bin(c_quarter, s.edge, c_origin)
  );
  v_range.labels := array(
    select to_char(s.start at time zone v_offsets[o.n], 'YYYY-MM-DD"T"HH24:MI:SS') || v_offset_texts[o.n]
    from unnest(v_range.starts) with ordinality as s(start, position)
    cross join lateral (select width_bucket(s.start, v_changes) as n) as o
    order by s.position
  );
  return v_range;
end
$$;

comment on function app.question_range(app.question, integer, timestamptz, timestamptz) is 'The buckets of a range';
grant execute on function app.question_range(app.question, integer, timestamptz, timestamptz) to tally_query;

reset role;
