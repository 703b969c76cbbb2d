-- The months of UTC that a batch has events of: of those only that can be taken, so that no partition is made for others.
--
-- How many events and series there are, a plan that is kept does not know: what sorts or loops would take long where there are
-- thousands. A plan that avoids that looks so dear that it would be compiled: hence no jit.

set role tally_owner;

create or replace function app.months_of(
  p_series app.event_series[], p_numbers integer[], p_recorded_at timestamptz[], p_open_from timestamptz
) returns date[]
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_generic_plan' set enable_sort = off set enable_nestloop = off set jit = off
as $$
begin
  -- By days first, which are cheaper to tell and few.
  return array(
    select distinct date_trunc('month', d.day at time zone 'UTC')::date
    from (
      select u.number, date_bin('1 day', u.recorded_at, 'epoch') as day
      from unnest(p_numbers, p_recorded_at) as u(number, recorded_at)
      where u.recorded_at between p_open_from and now() + interval '1 day'
      group by 1, 2
    ) as d
    join unnest(p_series) as s on s.number = d.number
    where s.code is null
  );
end
$$;

comment on function app.months_of(app.event_series[], integer[], timestamptz[], timestamptz) is
  'The months that a batch has events of';
grant execute on function app.months_of(app.event_series[], integer[], timestamptz[], timestamptz) to tally_ingest;

reset role;
