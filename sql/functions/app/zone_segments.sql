-- The stretches of a range in which a zone keeps one offset from UTC, in order.
--
-- Postgres does not tell when a zone changes its clock, so the offset is looked at every six days, and where it is another one
-- the instant is narrowed down to the second. No zone has changed its clock twice within six days since 1970.

set role tally_owner;

create or replace function app.zone_segments(p_from timestamptz, p_to timestamptz, p_zone text)
  returns table (starts_at timestamptz, ends_at timestamptz, utc_offset interval)
  language plpgsql stable set search_path = ''
as $$
declare
  v_change record;
  v_middle timestamptz;
begin
  starts_at := p_from;
  utc_offset := app.utc_offset(p_from, p_zone);
  for v_change in
    select p.before, p.after, p.new_offset
    from (
      select
        lag(d.at) over (order by d.at) as before, d.at as after,
        lag(o.utc_offset) over (order by d.at) as old_offset, o.utc_offset as new_offset
      from (
        select generate_series(p_from, p_to - interval '1 second', interval '144 hours') as at
        union all
        select p_to - interval '1 second'
      ) as d
      cross join lateral (select (d.at at time zone p_zone) - (d.at at time zone 'UTC') as utc_offset) as o
    ) as p
    where p.old_offset <> p.new_offset
    order by p.after
  loop
    while v_change.after - v_change.before > interval '1 second' loop
      v_middle := date_trunc('second', v_change.before + (v_change.after - v_change.before) / 2);
      if app.utc_offset(v_middle, p_zone) = v_change.new_offset then
        v_change.after := v_middle;
      else
        v_change.before := v_middle;
      end if;
    end loop;
    ends_at := v_change.after;
    return next;
    starts_at := ends_at;
    utc_offset := v_change.new_offset;
  end loop;
  ends_at := p_to;
  return next;
end
$$;

comment on function app.zone_segments(timestamptz, timestamptz, text) is
  'The stretches of a range in which a zone keeps one offset from UTC';
grant execute on function app.zone_segments(timestamptz, timestamptz, text) to tally_query;

reset role;
