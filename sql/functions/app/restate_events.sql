-- Gives events that are there already the metric, value, currency and dimensions that they are told with now; those that say
-- the same stay untouched. Answers what was there before and what is there after, for app.roll_up.
--
-- Called after the same events were inserted with `on conflict do nothing`, which waited for every writer of them: so each is
-- there, and committed or one's own.
--
-- Planned anew each time, with the range of times as constants: else it would lock every partition there is, for the
-- transaction.

set role tally_owner;

create or replace function app.restate_events(
  p_events public.metric_events[],
  out p_before public.metric_events[],
  out p_after public.metric_events[]
)
  language plpgsql volatile set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
  v_from timestamptz;
  v_to timestamptz;
begin
  select min(u.recorded_at), max(u.recorded_at) into v_from, v_to from unnest(p_events) as u;
  -- Locking gives the latest of each row and not what the snapshot saw, so what is taken from the rollups is what is in them.
  select coalesce(array_agg(l.before), '{}'), coalesce(array_agg(l.after), '{}')
  into p_before, p_after
  from (
    select e as before, u as after
    from unnest(p_events) as u
    join public.metric_events e
      on e.org_id = u.org_id and e.store_id = u.store_id and e.source = u.source and e.event_id = u.event_id
      and e.recorded_at = u.recorded_at
    where e.recorded_at between v_from and v_to
      and (e.metric_key, e.value, e.currency, e.dimensions)
        is distinct from (u.metric_key, u.value, u.currency, u.dimensions)
    -- The order of app.store_events, in which others insert and lock.
    order by u.store_id, u.source collate "C", u.event_id collate "C", u.recorded_at
    for no key update of e
  ) as l;

  update public.metric_events e
  set metric_key = a.metric_key, value = a.value, currency = a.currency, dimensions = a.dimensions,
      ingested_at = a.ingested_at
  from unnest(p_after) as a
  where e.org_id = a.org_id and e.store_id = a.store_id and e.source = a.source and e.event_id = a.event_id
    and e.recorded_at = a.recorded_at and e.recorded_at between v_from and v_to;
end
$$;

comment on function app.restate_events(public.metric_events[]) is
  'Gives events that are there already the values they are told with now; what was before, and what is after';
grant execute on function app.restate_events(public.metric_events[]) to tally_ingest;

reset role;
