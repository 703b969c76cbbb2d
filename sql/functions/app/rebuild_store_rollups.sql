-- Rebuilds a piece of the rollups of one metric of a store by the dimensions of today's definition, from where the piece before ended:
-- of closed months, whose events may be gone, one month of UTC, from the rollups that are there; then whole days of the store, as many
-- as hold so many events, but one at least. p_wait says whether to wait, a second at most, for batches under way.
--
-- As far as months are open rollups are made of the events, exactly as app.roll_up would have kept them. A day that began in a closed
-- month and goes on in an open one is made of both: of the quarter hours up to there, and of the events since.
--
-- Answers how many events or rollups it went through, and whether that was the last piece; nulls where a batch was under way or the
-- definition is changing at this moment.

set role tally_owner;

create or replace function app.rebuild_store_rollups(
  p_org_id uuid, p_store_id uuid, p_metric_key text, p_max_events bigint, p_wait boolean,
  out p_events bigint, out p_is_last boolean
)
  language plpgsql volatile set search_path = '' set lock_timeout = '1s' set jit = off
    set plan_cache_mode = 'force_custom_plan'
as $$
declare
  v_lock constant bigint := app.batch_lock(p_org_id);
  v_timezone pg_catalog.text;
  v_names pg_catalog.text[];
  v_rebuilt_before pg_catalog.timestamptz;
  v_hours_from pg_catalog.timestamptz;
  v_days_from pg_catalog.timestamptz;
  v_to pg_catalog.timestamptz;
  v_last pg_catalog.timestamptz;
begin
  if p_wait then
    begin
      perform pg_advisory_xact_lock(v_lock);
    exception when lock_not_available then
      return;
    end;
  elsif not pg_try_advisory_xact_lock(v_lock) then
    return;
  end if;
  -- Who changes the definition now waits for the row, and asks anew once it is gone.
  select r.rebuilt_before into v_rebuilt_before
  from app.rollup_rebuilds r
  where r.org_id = p_org_id and r.store_id = p_store_id and r.metric_key = p_metric_key
  for update skip locked;
  if not found then
    return;
  end if;

  begin
    perform app.know_months();
  exception when lock_not_available then
    return;
  end;
  -- Only now, when nobody writes.
  select s.timezone into v_timezone from public.stores s where s.org_id = p_org_id and s.id = p_store_id;
  v_names := array(
    select jsonb_array_elements_text(d.rollup_dimensions)
    from (
      select m.metadata -> 'rollup_dimensions' as rollup_dimensions
      from public.metric_definitions m
      where m.key = p_metric_key and (m.org_id = p_org_id or m.org_id is null)
      order by m.org_id nulls last
      limit 1
    ) as d
  );
  v_hours_from := greatest((select r.closed_before from app.retention r where r.org_id = p_org_id), '1970-01-01Z');
  v_days_from := app.day_start((v_hours_from at time zone v_timezone)::pg_catalog.date, v_timezone);
  if v_rebuilt_before < v_hours_from then
    v_to := app.closed_month_end(p_org_id, p_store_id, p_metric_key, v_rebuilt_before, v_hours_from, v_days_from);
    if v_to is not null then
      p_events := app.merge_rollups(
        p_org_id, p_store_id, p_metric_key, v_names, v_rebuilt_before, v_to, least(v_to, v_days_from)
      );
      p_is_last := false;
      -- Before where the open months begin, which the pieces after this are of.
      update app.rollup_rebuilds r
      set rebuilt_before = least(v_to, v_hours_from - '1 microsecond'::pg_catalog.interval)
      where r.org_id = p_org_id and r.store_id = p_store_id and r.metric_key = p_metric_key;
      return;
    end if;
  else
    v_hours_from := v_rebuilt_before;
    v_days_from := v_rebuilt_before;
  end if;

  select count(*), max(e.recorded_at) into p_events, v_last
  from (
    select m.recorded_at
    from public.metric_events m
    where m.org_id = p_org_id and m.store_id = p_store_id and m.metric_key = p_metric_key and m.recorded_at >= v_hours_from
    order by m.recorded_at
    limit p_max_events + 1
  ) as e;
  p_is_last := p_events <= p_max_events;
  v_to := case when p_is_last then 'infinity' else greatest(
    app.day_start((v_last at time zone v_timezone)::pg_catalog.date, v_timezone),
    app.day_start((v_hours_from at time zone v_timezone)::pg_catalog.date + 1, v_timezone)
  ) end;

  delete from public.metric_rollups r
  where r.org_id = p_org_id and r.store_id = p_store_id and r.metric_key = p_metric_key
    and r.bucket_start >= case r.grain when 'day' then v_days_from else v_hours_from end and r.bucket_start < v_to;
  perform app.add_rollups(p_org_id, p_store_id, v_timezone, p_metric_key, v_names, v_hours_from, v_days_from, v_to);

  if p_is_last then
    delete from app.rollup_rebuilds r
    where r.org_id = p_org_id and r.store_id = p_store_id and r.metric_key = p_metric_key;
  else
    update app.rollup_rebuilds r
    set rebuilt_before = v_to
    where r.org_id = p_org_id and r.store_id = p_store_id and r.metric_key = p_metric_key;
  end if;
end
$$;

comment on function app.rebuild_store_rollups(uuid, uuid, text, bigint, boolean) is
  'Rebuilds a piece of the rollups of one metric of a store; nulls where a batch is under way';

reset role;
