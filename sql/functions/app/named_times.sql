-- When the events were recorded that a deletion names (app.remove_events), so that it reaches for no other partition and locks no
-- more rows than it may. Where an entry has no time, every partition of an open month is looked into, and no row is locked.
--
--   p_store_ids, p_sources, p_ids, p_recorded_at   as app.remove_events takes them
--   p_open_from   what was recorded before is not meant
--
-- Planned anew each time, with the times as constants; and each entry looks up its own (lateral), by the key.
--
-- Errors: TH022 more events than one request may delete.

set role tally_owner;

create or replace function app.named_times(
  p_store_ids text[], p_sources text[], p_ids text[], p_recorded_at text[], p_open_from timestamptz
) returns timestamptz[]
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
  c_most constant integer := 5000;
  v_org_id constant uuid := app.org_id();
  v_key_store_id constant uuid := app.key_store_id();
  v_told constant timestamptz[] := array(
    select distinct u.recorded_at::timestamptz
    from unnest(p_recorded_at) as u(recorded_at)
    where u.recorded_at::timestamptz >= p_open_from
  );
  v_found timestamptz[];
begin
  -- There are fewer entries than events that may be deleted.
  if array_position(p_recorded_at, null) is null then
    return v_told;
  end if;

  v_found := array(
    with named as materialized (
      select distinct coalesce(u.store_id::uuid, v_key_store_id) as store_id, u.source, u.id, u.recorded_at::timestamptz as recorded_at
      from unnest(p_store_ids, p_sources, p_ids, p_recorded_at) as u(store_id, source, id, recorded_at)
    ),
    whole as materialized (
      select n.store_id, n.source, n.id from named n where n.recorded_at is null
    )
    select e.recorded_at
    from whole w
    cross join lateral (
      select e.recorded_at
      from public.metric_events e
      where e.org_id = v_org_id and e.store_id = w.store_id and e.source = w.source and e.event_id = w.id
        and e.recorded_at >= p_open_from
      offset 0
    ) as e
    union all
    select e.recorded_at
    from named n
    cross join lateral (
      select e.recorded_at
      from public.metric_events e
      where e.org_id = v_org_id and e.store_id = n.store_id and e.source = n.source and e.event_id = n.id
        and e.recorded_at = n.recorded_at and e.recorded_at = any (v_told)
      offset 0
    ) as e
    where (n.store_id, n.source, n.id) not in (select w.store_id, w.source, w.id from whole w where w.store_id is not null)
    limit c_most + 1
  );
  if cardinality(v_found) > c_most then
    raise exception using errcode = 'TH022', message = format(
      'The entries name more than %s events, the most that are deleted at once: name `recorded_at`, or send fewer entries.', c_most
    );
  end if;
  return array(select distinct f.recorded_at from unnest(v_found) as f(recorded_at));
end
$$;

comment on function app.named_times(text[], text[], text[], text[], timestamptz) is
  'When the events were recorded that a deletion names, of which there is a bounded number';
grant execute on function app.named_times(text[], text[], text[], text[], timestamptz) to tally_ingest;

reset role;
