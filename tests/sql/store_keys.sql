-- An API key that is tied to a store sees and writes what is of that store; the access matrix has only people.

begin;
select plan(16);

select app.provision_user('aaaaaaaa-0000-4000-8000-000000000001', 'Acme');
insert into public.stores (org_id, workspace_id, name)
  select org_id, id, s.name from public.workspaces, (values ('Its'), ('Other')) as s(name);
select app.ensure_months('{2026-10-01}');
insert into public.metric_events (org_id, store_id, source, event_id, recorded_at, metric_key, value)
  select org_id, id, 'test', 'event', '2026-10-05', 'orders', 1 from public.stores;
insert into public.metric_rollups
  (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions, count, sum, min, max, last, last_at)
  select org_id, id, 'orders', 'day', '2026-10-05', '', '{}', 1, 1, 1, 1, 1, '2026-10-05' from public.stores;
insert into public.quarantined_events (org_id, store_id, code, detail, body, body_hash)
  select org_id, id, 'unknown_metric', 'no such metric', '{}', sha256('{}') from public.stores;
insert into public.event_changes (org_id, action, store_id, source, event_id, recorded_at, before)
  select org_id, 'deleted', id, 'test', 'event', '2026-10-05', '{}' from public.stores;
select app.create_api_key(org_id, 'key', array['events:write', 'metrics:read'], id)
from public.stores where name = 'Its';
select set_config('test.authority', jsonb_build_object('api_key_hash', key_hash)::text, true) from public.api_keys;

create temporary table store as select name, org_id, id from public.stores;
grant select on store to public;

create function pg_temp.record(p_store text) returns integer language sql as $$
  select changed(format(
    'insert into public.metric_events (org_id, store_id, source, event_id, recorded_at, metric_key, value)
       select org_id, id, ''test'', ''new'', ''2026-10-06'', ''orders'', 1 from store where name = %L', p_store
  ))
$$;
create function pg_temp.quarantine(p_store text) returns integer language sql as $$
  select cardinality(array_remove(app.quarantine_events(jsonb_agg(jsonb_build_object(
    'code', 'unknown_store', 'detail', 'no such store', 'store_id', s.id, 'body', '{"id": 1}'
  ))), null))
  from store s
  where s.name = p_store
$$;
create function pg_temp.sees_its_own(p_table text, p_description text) returns text language sql as $$
  select results_eq(
    format('select store_id from public.%I', p_table), 'select id from store where name = ''Its''', p_description
  )
$$;

set local role tally_ingest;
select app.assume_authority(current_setting('test.authority'));

select results_eq('select name from public.stores', $$values ('Its')$$, 'sees its store');
select pg_temp.sees_its_own('metric_events', 'its events');
select pg_temp.sees_its_own('metric_rollups', 'its rollups');
select pg_temp.sees_its_own('quarantined_events', 'what was refused of it');
select pg_temp.sees_its_own('event_changes', 'what was changed of it');
select is(pg_temp.record('Its'), 1, 'writes its events');
select throws_ok($$select pg_temp.record('Other')$$, '42501', null, 'writes no others');
select is(changed('update public.metric_events set value = 2'), 2, 'restates its events only');
select is(pg_temp.quarantine('Other'), 1, 'keeps what it sent and was refused, of another store too');
select is(pg_temp.quarantine('Other'), 1, 'and the same again');
select is_empty(
  $$select from app.erase_events(array(select e from public.metric_events e)) as d, unnest(d) as u(org_id, store_id)
    where u.store_id not in (select id from store where name = 'Its')$$, 'deletes its events only'
);
select throws_ok(
  $$insert into public.event_changes (org_id, action, store_id, source, event_id, recorded_at, before)
    select org_id, 'deleted', id, 'test', 'x', '2026-10-05', '{}' from store where name = 'Other'$$, '42501', null,
  'records changes of its events only'
);
select is(changed('update public.quarantined_events set replayed_at = now()'), 2, 'replays what is of it or what it sent');
select is(changed('delete from public.quarantined_events'), 2, 'discards the same');
reset role;

set local role tally_query;
select app.assume_authority(current_setting('test.authority'));
select pg_temp.sees_its_own('metric_rollups', 'reads its rollups');
reset role;
update public.api_keys set revoked_at = now();
set local role tally_query;
select throws_ok(
  $$select app.assume_authority(current_setting('test.authority'))$$, 'TH001', null, 'and nothing once it is revoked'
);

select * from finish();
rollback;
