-- Records what was changed after it had been counted: by the user or the API key of the request, what was there before, and what
-- is there after, the two in the same order. Nothing is after a deletion.
--
-- A definer function calls it too (app.erase_events): types are named in full.

set role tally_owner;

create or replace function app.record_changes(
  p_action text, p_before public.metric_events[], p_after public.metric_events[]
) returns void
  language plpgsql volatile set search_path = ''
as $$
declare
  v_user_id constant pg_catalog.uuid := app.user_id();
  v_api_key_id constant pg_catalog.uuid := app.claimed_uuid('api_key_id');
begin
  insert into public.event_changes
    (org_id, action, user_id, api_key_id, store_id, source, event_id, recorded_at, before, after)
  select
    b.org_id, p_action, v_user_id, v_api_key_id, b.store_id, b.source, b.event_id, b.recorded_at,
    jsonb_build_object(
      'metric', b.metric_key, 'value', b.value::pg_catalog.text, 'currency', b.currency, 'dimensions', b.dimensions
    ),
    case when p_action <> 'deleted' then
      jsonb_build_object(
        'metric', a.metric_key, 'value', a.value::pg_catalog.text, 'currency', a.currency, 'dimensions', a.dimensions
      )
    end
  from unnest(p_before) with ordinality as b(
    org_id, store_id, source, event_id, recorded_at, metric_key, value, currency, dimensions, ingested_at, position
  )
  left join unnest(p_after) with ordinality as a(
    org_id, store_id, source, event_id, recorded_at, metric_key, value, currency, dimensions, ingested_at, position
  ) using (position);
end
$$;

comment on function app.record_changes(text, public.metric_events[], public.metric_events[]) is
  'Records what was changed after it had been counted';
grant execute on function app.record_changes(text, public.metric_events[], public.metric_events[]) to tally_ingest;

reset role;
