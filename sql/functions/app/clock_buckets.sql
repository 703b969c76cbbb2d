-- The hours or quarter hours of a range, in order: each begins where the local clock shows a full one, and where it is changed.

set role tally_owner;

create or replace function app.clock_buckets(p_from timestamptz, p_to timestamptz, p_length interval, p_zone text)
  returns table (start timestamptz, place integer, repeat integer)
  language plpgsql stable set search_path = ''
as $$
declare
  c_origin constant timestamp := '2000-01-01';
  v_first constant timestamp := date_bin(p_length, p_from at time zone p_zone, c_origin);
  v_segment record;
  v_clock timestamp;
  v_start timestamptz;
  v_place integer;
  v_last_place integer := 0;
begin
  for v_segment in select s.starts_at, s.ends_at, s.utc_offset from app.zone_segments(p_from, p_to, p_zone) as s loop
    v_clock := date_bin(p_length, v_segment.starts_at at time zone p_zone, c_origin);
    v_start := (v_clock - v_segment.utc_offset) at time zone 'UTC';
    v_place := extract(epoch from v_clock - v_first) / extract(epoch from p_length);
    return query
      select
        greatest(b.start, v_segment.starts_at), v_place + b.n::integer,
        -- Where the clock was put back, its places come again.
        case when v_place + b.n <= v_last_place then 2 else 1 end
      from generate_series(v_start, v_segment.ends_at - interval '1 microsecond', p_length) with ordinality as b(start, n);
    v_last_place := greatest(
      v_last_place, v_place + ceil(extract(epoch from v_segment.ends_at - v_start) / extract(epoch from p_length))
    );
  end loop;
end
$$;

comment on function app.clock_buckets(timestamptz, timestamptz, interval, text) is 'The hours or quarter hours of a range';
grant execute on function app.clock_buckets(timestamptz, timestamptz, interval, text) to tally_query;

reset role;
