-- A thousand of what nobody has analysed, so that a plan takes it for a handful: events of one instant, each with a channel of its
-- own and so with rollups of its own, and in the quarantine five thousand of which a replay takes a fifth.

create function pg_temp.send(p_authority text, p_store text, p_at bigint, p_value text, p_on_conflict text) returns text
  language sql as $$
  select api.ingest_events(
    p_authority, array_fill(p_store, '{1000}'), array_fill(null::text, '{1000}'), array_fill('test'::text, '{1000}'),
    array_fill('orders'::text, '{1000}'), array_fill(null::text, '{1000}'),
    array(select jsonb_build_object('channel', 'channel ' || n)::text from generate_series(1, 1000) as n),
    array(select generate_series(1, 1000)), (select string_agg('many-' || n, E'\n') from generate_series(1, 1000) as n),
    array_to_string(array_fill(p_value, '{1000}'), E'\n'), array_fill(p_at, '{1000}'), '',
    array_to_string(array_fill(0, '{1000}'), E'\n'), '[]', p_on_conflict, false
  )
$$;

insert into public.quarantined_events (org_id, store_id, code, detail, body, body_hash, event)
select
  :'org', :'store', 'unknown_metric', 'There is no such metric.', 'many ' || n, sha256(convert_to('many ' || n, 'UTF8')),
  jsonb_build_object(
    'id', 'many-' || n, 'metric', 'nope', 'store_id', :'store', 'value', '1', 'recorded_at', :'event_at', 'source', 'test',
    'dimensions', '{}'
  )
from generate_series(1, 5000) as n;
