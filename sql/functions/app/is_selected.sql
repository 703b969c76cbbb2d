-- Whether a quarantined event is one that a filter means: an object with any of code, store_id, source, metric, id, from and to of
-- the time it came, and replayed_before, which means what was replayed last before then, or never; an empty one means all. The
-- caller has checked that each value can be cast.

set role tally_owner;

create or replace function app.is_selected(p_event public.quarantined_events, p_filter jsonb) returns boolean
  language plpgsql stable set search_path = ''
as $$
begin
  return (not p_filter ? 'code' or p_event.code = p_filter ->> 'code')
    and (not p_filter ? 'store_id' or p_event.store_id is not distinct from (p_filter ->> 'store_id')::uuid)
    and (not p_filter ? 'source' or p_event.source is not distinct from p_filter ->> 'source')
    and (not p_filter ? 'metric' or p_event.metric_key is not distinct from p_filter ->> 'metric')
    and (not p_filter ? 'id' or p_event.event_id is not distinct from p_filter ->> 'id')
    and (not p_filter ? 'from' or p_event.received_at >= (p_filter ->> 'from')::timestamptz)
    and (not p_filter ? 'to' or p_event.received_at < (p_filter ->> 'to')::timestamptz)
    and (
      not p_filter ? 'replayed_before' or p_event.replayed_at is null
      or p_event.replayed_at < (p_filter ->> 'replayed_before')::timestamptz
    );
end
$$;

comment on function app.is_selected(public.quarantined_events, jsonb) is
  'Whether a quarantined event is one that a filter means';
grant execute on function app.is_selected(public.quarantined_events, jsonb) to tally_ingest;

reset role;
