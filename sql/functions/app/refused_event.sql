-- A rejected event of good form, as app.quarantine_events takes it: as it was sent, and as it was read, so that it can be replayed.

set role tally_owner;

create or replace function app.refused_event(
  p_store_id text, p_external_id text, p_source text, p_metric text, p_currency text, p_dimensions text, p_id text,
  p_value text, p_recorded_at text, p_body text, p_code text
) returns jsonb
  language plpgsql stable set search_path = ''
as $$
declare
  v_event constant jsonb := jsonb_strip_nulls(jsonb_build_object(
    'id', p_id, 'metric', p_metric,
    'store_id', coalesce(p_store_id, case when p_external_id is null then app.key_store_id()::text end),
    'external_id', p_external_id, 'value', p_value, 'currency', p_currency, 'recorded_at', p_recorded_at,
    'source', p_source, 'dimensions', p_dimensions
  ));
begin
  return jsonb_build_object(
    'code', p_code, 'detail', app.explain_rejection(p_code), 'store_id', v_event -> 'store_id', 'source', p_source,
    'event_id', p_id, 'metric', p_metric, 'body', p_body, 'event', v_event
  );
end
$$;

comment on function app.refused_event(text, text, text, text, text, text, text, text, text, text, text) is
  'A rejected event of good form, as the quarantine takes it';
grant execute on function app.refused_event(text, text, text, text, text, text, text, text, text, text, text)
  to tally_ingest;

reset role;
