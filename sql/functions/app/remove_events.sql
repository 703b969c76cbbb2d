-- Deletes events by what they are known by, takes them out of the rollups and records it. See api.delete_events.
--
-- Planned anew each time, with the times as constants: else it would lock every partition there is.
--
-- Errors: TH022 from app.named_times.

set role tally_owner;

create or replace function app.remove_events(
  p_store_ids text[],
  p_sources text[],
  p_ids text[],
  p_recorded_at text[],
  out p_errors jsonb,
  out p_deleted public.metric_events[],
  out p_not_found integer
)
  language plpgsql volatile set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
  v_org_id constant uuid := app.org_id();
  v_key_store_id constant uuid := app.key_store_id();
  v_open_from timestamptz;
  v_times timestamptz[];
  v_codes text[];
  v_found public.metric_events[] := '{}';
begin
  v_open_from := greatest(app.closed_before(v_org_id), '1970-01-01Z');
  perform app.know_months();
  v_times := app.named_times(p_store_ids, p_sources, p_ids, p_recorded_at, v_open_from);

  v_codes := array(
    select case
      when coalesce(u.store_id::uuid, v_key_store_id) is null then 'store_required'
      when s.id is null then 'unknown_store'
      when u.recorded_at::timestamptz < v_open_from then 'out_of_range'
    end
    from unnest(p_store_ids, p_recorded_at) with ordinality as u(store_id, recorded_at, position)
    left join public.stores s on s.org_id = v_org_id and s.id = coalesce(u.store_id::uuid, v_key_store_id)
    order by u.position
  );

  -- No times would leave no partition out.
  if cardinality(v_times) > 0 then
    -- Locking gives the latest of each row and not what the snapshot saw, so what is taken from the rollups is what is in them.
    v_found := array(
      select l.event
      from (
        select e as event
        from unnest(p_store_ids, p_sources, p_ids, p_recorded_at, v_codes) as u(store_id, source, id, recorded_at, code)
        join public.metric_events e
          on e.org_id = v_org_id and e.store_id = coalesce(u.store_id::uuid, v_key_store_id) and e.source = u.source
          and e.event_id = u.id and (u.recorded_at is null or e.recorded_at = u.recorded_at::timestamptz)
        where u.code is null and e.recorded_at = any (v_times)
        -- The order of app.store_events, in which others insert and lock.
        order by e.store_id, e.source collate "C", e.event_id collate "C", e.recorded_at
        for update of e
      ) as l
    );
  end if;
  -- Two entries may name one event.
  p_deleted := app.erase_events(array(select distinct f from unnest(v_found) as f));
  p_errors := (
    select coalesce(jsonb_agg(
      jsonb_build_object('index', u.position - 1, 'code', u.code, 'detail', app.explain_rejection(u.code))
      order by u.position
    ), '[]')
    from unnest(v_codes) with ordinality as u(code, position)
    where u.code is not null
  );
  p_not_found := (
    select count(*)
    from unnest(p_store_ids, p_sources, p_ids, p_recorded_at, v_codes) as u(store_id, source, id, recorded_at, code)
    where u.code is null
      and not exists (
        select from unnest(p_deleted) as d
        where d.store_id = coalesce(u.store_id::uuid, v_key_store_id) and d.source = u.source and d.event_id = u.id
          and (u.recorded_at is null or d.recorded_at = u.recorded_at::timestamptz)
      )
  );

  perform app.roll_up(app.rollup_parts(p_deleted, -1), v_open_from);
end
$$;

comment on function app.remove_events(text[], text[], text[], text[]) is
  'Deletes events, takes them out of the rollups and records it';
grant execute on function app.remove_events(text[], text[], text[], text[]) to tally_ingest;

reset role;
