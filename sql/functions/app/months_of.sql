-- The months of UTC that a batch has events of, as far as they can be taken: so that no partition is made for what is too old
-- or to come.

set role tally_owner;

create or replace function app.months_of(p_recorded_at timestamptz[], p_open_from timestamptz) returns date[]
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_generic_plan' set enable_sort = off set jit = off
as $$
declare
  v_open_until constant timestamptz := now() + interval '1 day';
  v_first timestamptz;
  v_last timestamptz;
begin
  select min(u.at), max(u.at)
  into v_first, v_last
  from unnest(p_recorded_at) as u(at)
  where u.at between p_open_from and v_open_until;

  return case
    when v_first is null then '{}'
    -- Mostly so, and told at once.
    when app.utc_month(v_first) = app.utc_month(v_last) then array[app.utc_month(v_first)]
    else array(
      select distinct app.utc_month(d.day)
      from (
        select distinct date_bin('1 day', u.at, 'epoch') as day
        from unnest(p_recorded_at) as u(at)
        where u.at between v_first and v_last
      ) as d
    )
  end;
end
$$;

comment on function app.months_of(timestamptz[], timestamptz) is 'The months that a batch has events of';
grant execute on function app.months_of(timestamptz[], timestamptz) to tally_ingest;

reset role;
