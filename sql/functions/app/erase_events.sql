-- Deletes events of the organization of the request, which the transaction has locked, and records it: the one way in which a
-- request deletes any. Answers them. The rollups are the caller's to see to.
--
-- Planned anew each time, with the times as constants: else it would lock every partition there is, as it would without times.
--
-- Security definer: no function role may delete events without a record.

set role tally_owner;

create or replace function app.erase_events(p_events public.metric_events[]) returns public.metric_events[]
  language plpgsql volatile security definer set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
  v_org_id constant pg_catalog.uuid := app.org_id();
  v_store_id constant pg_catalog.uuid := app.key_store_id();
  v_times constant pg_catalog.timestamptz[] := array(select distinct u.recorded_at from unnest(p_events) as u);
  v_deleted public.metric_events[];
begin
  if not app.may_write_events() then
    raise exception using errcode = 'TH003', message = 'the role may not write events';
  end if;
  if cardinality(p_events) = 0 then
    return '{}';
  end if;
  with deleted as (
    delete from public.metric_events e
    using unnest(p_events) as u
    where e.org_id = v_org_id and (v_store_id is null or e.store_id = v_store_id)
      and e.store_id = u.store_id and e.source = u.source and e.event_id = u.event_id and e.recorded_at = u.recorded_at
      and e.recorded_at = any (v_times)
    returning e
  )
  select coalesce(array_agg(d.e), '{}') into v_deleted from deleted d;
  perform app.record_changes('deleted', v_deleted, '{}');
  return v_deleted;
end
$$;

comment on function app.erase_events(public.metric_events[]) is 'Deletes events and records it';
grant execute on function app.erase_events(public.metric_events[]) to tally_ingest;

reset role;
