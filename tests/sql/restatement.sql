-- What restating events must not do: reach what identifies them, closed months, or the extremes that only rollups still know;
-- and that nobody changes by what the rollups are kept, in which what was there before must be found again.
-- That rollups follow, tests/it/sql/rollups.rs proves.

begin;
select plan(36);

insert into public.organizations (id, name, slug) values ('aaaaaaaa-0000-4000-8000-00000000000a', 'Acme', 'acme');
insert into public.org_members (org_id, user_id, role)
  values ('aaaaaaaa-0000-4000-8000-00000000000a', 'aaaaaaaa-0000-4000-8000-000000000001', 'member');
insert into public.workspaces (org_id, id, name, slug)
  values ('aaaaaaaa-0000-4000-8000-00000000000a', 'aaaaaaaa-0000-4000-8000-00000000000b', 'Main', 'main');
insert into public.stores (org_id, workspace_id, id, name, timezone)
  values ('aaaaaaaa-0000-4000-8000-00000000000a', 'aaaaaaaa-0000-4000-8000-00000000000b',
    'aaaaaaaa-0000-4000-8000-00000000000c', 'Store', 'America/New_York');

create function pg_temp.send(p_on_conflict text, p_id text, p_value text, p_recorded_at text) returns jsonb language sql as $$
  select api.ingest_events(
    '{"sub": "aaaaaaaa-0000-4000-8000-000000000001", "org_id": "aaaaaaaa-0000-4000-8000-00000000000a", "user_role": "member"}',
    '{aaaaaaaa-0000-4000-8000-00000000000c}', '{null}', '{api}', '{sessions}', '{null}', '{"{}"}', '{1}', p_id,
    p_value, array[extract(epoch from p_recorded_at::timestamptz) * 1000000]::bigint[], '{}', '2', '[]', p_on_conflict, false
  )::jsonb
$$;
create function pg_temp.day() returns table (count bigint, sum numeric, min numeric, max numeric, last numeric)
  language sql as $$
  select r.count, r.sum, r.min, r.max, r.last from public.metric_rollups r
  where r.grain = 'day' and r.bucket_start = '2026-01-31T05:00:00Z'
$$;

set local role tally_ingest;
-- One local day, of which the first part lies in January and the rest in February.
select is(pg_temp.send('ignore', 'a', '9', '2026-01-31T20:00:00Z') ->> 'accepted', '1', 'the greatest, in January');
select is(pg_temp.send('ignore', 'b', '1', '2026-02-01T01:00:00Z') ->> 'accepted', '1', 'the least, in February');
select is(pg_temp.send('ignore', 'c', '5', '2026-02-01T02:00:00Z') ->> 'accepted', '1', 'the last, in February');
reset role;

-- January is closed, and its events are gone.
insert into app.retention (org_id, closed_before) values ('aaaaaaaa-0000-4000-8000-00000000000a', '2026-02-01T00:00:00Z');
delete from public.metric_events where recorded_at < '2026-02-01T00:00:00Z';

set local role tally_ingest;
select is(pg_temp.send('replace', 'c', '3', '2026-02-01T02:00:00Z') ->> 'replaced', '1', 'the last is restated');
select results_eq('select * from pg_temp.day()', 'values (3::bigint, 13.0, 1.0, 9.0, 3.0)', 'the greatest is still known');
select is(pg_temp.send('replace', 'b', '10', '2026-02-01T01:00:00Z') ->> 'replaced', '1', 'the least is restated');
select is(pg_temp.send('replace', 'b', '4', '2026-02-01T01:00:00Z') ->> 'replaced', '1', 'and once more, as greatest');
select results_eq('select * from pg_temp.day()', 'values (3::bigint, 16.0, 3.0, 9.0, 3.0)', 'the greatest is the closed one again');
select is(
  pg_temp.send('replace', 'a', '0', '2026-01-31T20:00:00Z') -> 'errors' -> 0 ->> 'code', 'out_of_range',
  'in a closed month nothing is restated'
);
select is(
  pg_temp.send('ignore', 'd', '0', '2026-01-31T23:59:59.999999Z') -> 'errors' -> 0 ->> 'code', 'out_of_range',
  'nor recorded'
);
select is(
  pg_temp.send('replace', 'e', '0', '1969-12-31T23:59:59Z') -> 'errors' -> 0 ->> 'code', 'out_of_range',
  'nor before 1970'
);

select throws_ok($$update public.metric_events set event_id = 'x'$$, '42501', null, 'what identifies an event stays');
select throws_ok('delete from public.metric_events', '42501', null, 'events are not deleted');
reset role;

select results_eq(
  $$select count(*) from pg_inherits where inhparent = 'public.metric_events'::regclass$$,
  $$select count(*) from pg_inherits
      where inhparent = 'public.metric_events_org_id_store_id_metric_key_recorded_at_idx'::regclass$$,
  'every partition, also those made since, has the index that a bucket is read by'
);

create function pg_temp.define(p_key text, p_dimensions text) returns void language sql as $$
  insert into public.metric_definitions (org_id, key, display_name, unit, aggregation_method, category, metadata)
  values ('aaaaaaaa-0000-4000-8000-00000000000a', p_key, 'Own', 'count', 'sum', 'test',
    jsonb_build_object('rollup_dimensions', p_dimensions::jsonb))
$$;
-- A rollup as an event would have left it.
create function pg_temp.rolled_up(p_key text) returns void language sql as $$
  insert into public.metric_rollups
    (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions, count, sum, min, max, last, last_at)
  select org_id, store_id, p_key, grain, bucket_start, currency, '{}', count, sum, min, max, last, last_at
  from public.metric_rollups
  limit 1
$$;
select lives_ok($$select pg_temp.define('sessions', '["channel"]')$$, 'an own definition in the place of a standard one');
select lives_ok($$select pg_temp.define('page_views', '["country"]')$$, 'one with other dimensions, where there are no events yet');
select lives_ok($$select pg_temp.define('own', '[]')$$, 'a metric of its own, without dimensions');
select pg_temp.rolled_up('own');
select is_empty('select from app.rollup_rebuilds', 'no rollups to be rebuilt');
select lives_ok(
  $$update public.metric_definitions
      set aggregation_method = 'percentile', metadata = '{"percentile": "0.5", "rollup_dimensions": []}' where key = 'own'$$,
  'what becomes of its events changes freely'
);
select is_empty('select from app.rollup_rebuilds', 'and its rollups serve for that too');
select throws_ok(
  format('update public.metric_definitions set %s where key = ''own''', change), '23514',
  'There are events of own, so it stays a metric with events that are no money.', change
)
from unnest(array[
  $$unit = 'currency'$$,
  $$aggregation_method = 'ratio', unit = 'ratio', metadata = '{"numerator": "orders", "denominator": "sessions"}'$$,
  $$aggregation_method = 'formula', metadata = '{"formula": "orders * 2"}'$$
]) as change;
select throws_ok(
  $$delete from public.metric_definitions where key = 'own'$$, '23514',
  'There are events of own, so it stays a metric with events that are no money.', 'nor does it go'
);
select lives_ok(
  $$update public.metric_definitions set metadata = '{"percentile": "0.5", "rollup_dimensions": ["country"]}' where key = 'own'$$,
  'its dimensions change'
);
select lives_ok(
  $$delete from public.metric_definitions where org_id is not null and key = 'sessions'$$, 'an own definition gives way to the standard one'
);
select results_eq(
  'select org_id, store_id, metric_key from app.rollup_rebuilds',
  $$values (
    'aaaaaaaa-0000-4000-8000-00000000000a'::uuid, 'aaaaaaaa-0000-4000-8000-00000000000c'::uuid, 'own'
  )$$,
  'and where that changes what rollups are kept by, they are to be rebuilt'
);

set local role service_role;
create function pg_temp.days() returns setof text language sql as $$
  select concat_ws(' ', bucket_start at time zone 'UTC', metric_key, count, sum, min, max, last, last_at at time zone 'UTC')
  from public.metric_rollups r
  where r.store_id = 'aaaaaaaa-0000-4000-8000-00000000000c' and r.grain = 'day' and metric_key <> 'own'
  order by 1
$$;
create temporary table day as select * from pg_temp.days();
select lives_ok($$update public.stores set timezone = 'Asia/Kathmandu'$$, 'a store moves to another zone');
select results_ne('select * from pg_temp.days()', 'select * from day', 'where its days are others');
select results_eq(
  $$select sum(count), sum(sum) from public.metric_rollups where grain = 'day' and metric_key <> 'own'$$,
  $$select sum(count), sum(sum) from public.metric_rollups where grain = '15m' and metric_key <> 'own'$$,
  'which count all of the quarter hours'
);
select is_empty(
  $$select from public.metric_rollups
    where grain = 'day' and (bucket_start at time zone 'Asia/Kathmandu')::time <> '00:00'$$,
  'from midnight there'
);
select lives_ok($$update public.stores set timezone = 'America/New_York'$$, 'and back');
select results_eq('select * from pg_temp.days()', 'select * from day', 'to the very same days');
select throws_like(
  $$update public.stores set id = gen_random_uuid()$$, 'What a row of stores is known by does not change%', 'and its id'
);
select throws_like(
  $$update public.metric_definitions set key = 'other' where key = 'own'$$,
  'What a row of metric_definitions is known by does not change%', 'as a metric its key'
);
reset role;

select lives_ok('delete from public.organizations', 'all of it goes with the organization');

select * from finish();
rollback;
