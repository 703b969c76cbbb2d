-- What an event says besides what it is known by, as JSON; the value as text, exact.

set role tally_owner;

create or replace function app.event_content(p_metric text, p_value numeric, p_currency text, p_dimensions jsonb) returns jsonb
  language sql immutable set search_path = ''
  return jsonb_build_object('metric', p_metric, 'value', p_value::text, 'currency', p_currency, 'dimensions', p_dimensions);

comment on function app.event_content(text, numeric, text, jsonb) is 'What an event says besides what it is known by';
grant execute on function app.event_content(text, numeric, text, jsonb) to tally_ingest;

reset role;
