-- Retention by plan, and what deleted stores leave behind, call by call of app.maintain. What several connections do to each
-- other is tested in tests/it/sql/partitions.rs.

begin;
select plan(41);

-- Fixtures, by the code that makes them in production: an organization of each plan, with a store.
create temporary table tenant (tier public.plan_tier, user_id uuid, org_id uuid, store_id uuid);
grant all on tenant to public;
insert into tenant (tier, user_id) select unnest(enum_range(null::public.plan_tier)), gen_random_uuid();
select app.provision_user(user_id, tier::text) from tenant;
update tenant t set org_id = m.org_id from public.org_members m where m.user_id = t.user_id;
update public.organizations o set plan_tier = t.tier from tenant t where t.org_id = o.id;
insert into public.stores (org_id, workspace_id, name)
  select w.org_id, w.id, 'Store' from public.workspaces w join tenant t on t.org_id = w.org_id;
update tenant t set store_id = s.id from public.stores s where s.org_id = t.org_id;

-- A day in the month so many months ago.
create function pg_temp.ago(p_months integer) returns timestamptz language sql as $$
  select (date_trunc('month', now() at time zone 'UTC') - make_interval(months => p_months) + interval '36 hours')
    at time zone 'UTC'
$$;
create function pg_temp.month(p_months integer) returns text language sql as $$
  select 'metric_events_' || to_char(pg_temp.ago(p_months) at time zone 'UTC', 'YYYYMM')
$$;

-- One order in each of these months, sent as ingestion sends it.
create function pg_temp.send(p_tier public.plan_tier, p_months integer[]) returns jsonb language plpgsql as $$
declare
  v_tenant tenant;
  v_all text[] := p_months::text[];
  v_answer text;
begin
  select * into v_tenant from tenant where tier = p_tier;
  set local role tally_ingest;
  v_answer := api.ingest_events(
    json_build_object('sub', v_tenant.user_id, 'org_id', v_tenant.org_id, 'user_role', 'owner')::text,
    array[v_tenant.store_id::text], '{null}', '{test}', '{orders}', '{null}', '{"{}"}',
    array(select 1 from unnest(v_all)),
    (select string_agg('order-' || m, E'\n') from unnest(v_all) m),
    (select string_agg('1', E'\n') from unnest(v_all)),
    array(select extract(epoch from pg_temp.ago(m::integer)) * 1000000 from unnest(v_all) m)::bigint[],
    '{}',
    (select string_agg('0', E'\n') from unnest(v_all)),
    '[]', 'ignore', false
  );
  set local role none;
  return v_answer::jsonb;
end
$$;

-- Calls as a scheduler does, until there is no more to do: a report for each call.
create function pg_temp.maintain(p_rows integer, p_organizations integer) returns setof jsonb language plpgsql as $$
declare
  v_report jsonb;
begin
  for v_call in 1 .. 200 loop
    v_report := app.maintain(p_rows, p_organizations);
    return next v_report;
    exit when not (v_report ->> 'again')::boolean;
  end loop;
end
$$;
create temporary table report (run text, answer jsonb);
create function pg_temp.total(p_run text, p_key text) returns bigint language sql as $$
  select sum((answer ->> p_key)::bigint) from report where run = p_run
$$;

-- The months.
select is(app.ensure_partitions(), '{}', 'the months ahead are there already');
select is(count(*), 3::bigint, 'this month and the next two')
  from generate_series(-2, 0) m where to_regclass('partitions.' || pg_temp.month(m)) is not null;
select is(app.ensure_partitions(3), array[to_char(pg_temp.ago(-3) at time zone 'UTC', 'YYYY-MM')], 'one more, and its name');
select set_eq(
  'select relname::text from pg_class where relnamespace = $$partitions$$::regnamespace and relkind = $$r$$',
  array(select pg_temp.month(m) from generate_series(-3, 0) m),
  'and no others'
);
set local role tally_owner;
select throws_ok(
  $$insert into public.metric_events (org_id, store_id, source, event_id, recorded_at, metric_key, value)
      select org_id, store_id, 'test', 'x', '2001-01-01', 'orders', 1 from tenant$$,
  '23514',
  'no partition of relation "metric_events" found for row',
  'a row whose month is missing is an error: there is no default partition for it'
);
set local role none;

-- Retention. Months are left to free (25), starter (37), growth (61) and enterprise (for ever).
select is(app.closed_before((select org_id from tenant where tier = 'free')), '-infinity', 'nothing is closed at first');
select is(
  pg_temp.send('free', '{0, 25, 26, 30, 40, 62, 70, 80}') ->> 'accepted', '8',
  'free: old events are taken until their months are closed'
);
select is(pg_temp.send('starter', '{0, 26, 37, 38, 40, 70}') ->> 'accepted', '6', 'starter');
select is(pg_temp.send('growth', '{0, 26, 38, 40, 61, 62}') ->> 'accepted', '6', 'growth');
select is(pg_temp.send('enterprise', '{0, 26, 40, 63}') ->> 'accepted', '4', 'enterprise');
create temporary table rollup_before as select * from public.metric_rollups;

-- A call for each organization: in between, months are closed by some and not by others.
insert into report select 'retention', pg_temp.maintain(50000, 1);
select set_eq(
  'select t.tier::text, (extract(year from a) * 12 + extract(month from a))::integer
    from (
      select e.org_id, age(
        date_trunc($$month$$, now() at time zone $$UTC$$), date_trunc($$month$$, e.recorded_at at time zone $$UTC$$)
      ) as a
      from public.metric_events e
    ) e
    join tenant t on t.org_id = e.org_id',
  $$values
    ('free', 0), ('free', 25),
    ('starter', 0), ('starter', 26), ('starter', 37),
    ('growth', 0), ('growth', 26), ('growth', 38), ('growth', 40), ('growth', 61),
    ('enterprise', 0), ('enterprise', 26), ('enterprise', 40), ('enterprise', 63)$$,
  'each keeps the months of its plan, exactly'
);
select set_eq(
  $$select jsonb_array_elements_text(answer -> 'months_dropped') from report$$,
  array(select to_char(pg_temp.ago(m) at time zone 'UTC', 'YYYY-MM') from unnest('{30, 62, 70, 80}'::integer[]) m),
  'months that nobody keeps are dropped, of one or of several organizations'
);
select is(to_regclass('partitions.' || pg_temp.month(m)), null, format('the partition of %s months ago is gone', m))
  from unnest('{30, 62, 70, 80}'::integer[]) m;
-- free: 26, 40; starter: 38, 40. Month 38 is growth's, too.
select is(pg_temp.total('retention', 'events_purged'), 4::bigint, 'row by row goes only what others keep the month of');
select is(pg_temp.total('retention', 'organizations_closed'), 3::bigint, 'three organizations were closed, once each');
select set_eq('select * from public.metric_rollups', 'select * from rollup_before', 'rollups stay');

-- What was purged cannot come again.
select is(
  (
    select jsonb_build_object(
      'accepted', s.answer -> 'accepted', 'duplicates', s.answer -> 'duplicates', 'replaced', s.answer -> 'replaced', 'errors',
      (select jsonb_agg(e.error - 'detail' - 'quarantine_id') from jsonb_array_elements(s.answer -> 'errors') as e(error))
    )
    from pg_temp.send('free', '{25, 26, 30}') as s(answer)
  ),
  '{
    "accepted": 0, "duplicates": 1, "replaced": 0,
    "errors": [{"index": 1, "code": "out_of_range"}, {"index": 2, "code": "out_of_range"}]
  }',
  'a repetition from a closed month is rejected, from an open one a duplicate'
);
select is(to_regclass('partitions.' || pg_temp.month(30)), null, 'and brings no partition back');
select set_eq('select * from public.metric_rollups', 'select * from rollup_before', 'and is not counted twice');

-- Nothing to do is nothing done.
insert into report select 'again', pg_temp.maintain(50000, 500);
select is(
  (select array_agg(answer) from report where run = 'again'),
  array['{
    "months_made": [], "making_busy": false, "months_dropped": [], "dropping_busy": [], "events_purged": 0,
    "changes_purged": 0, "organizations_closed": 0, "organizations_busy": 0, "stores_cleaned": 0, "store_events_deleted": 0,
    "rollups_rebuilt": 0, "rollups_busy": 0,
    "store_rollups_deleted": 0, "again": false
  }'::jsonb],
  'a second time changes nothing'
);

-- The watermark only moves forward.
create temporary table retention_before as select * from app.retention;
update public.organizations set plan_tier = 'enterprise' where id = (select org_id from tenant where tier = 'free');
insert into report select 'upgrade', pg_temp.maintain(50000, 500);
select set_eq('select * from app.retention', 'select * from retention_before', 'a better plan does not open what was closed');
update public.organizations set plan_tier = 'free' where id = (select org_id from tenant where tier = 'starter');
insert into report select 'downgrade', pg_temp.maintain(1, 500);
select results_eq(
  $$select count(*)::integer from public.metric_events e join tenant t using (org_id) where t.tier = 'starter'$$,
  'values (1)', 'a lesser plan closes more'
);
select is(
  (select max((answer ->> 'events_purged')::integer) from report where run = 'downgrade'), 1, 'a call deletes no more than it may'
);

-- The operator's numbers are the operator's.
set local role service_role;
update app.plan_limits set events_retention_months = 50 where plan_tier = 'growth';
set local role none;
\ir ../../sql/catalogue/plan_limits.sql
select results_eq(
  'select plan_tier::text, events_retention_months::integer from app.plan_limits order by events_retention_months',
  $$values ('free', 25), ('starter', 37), ('growth', 50), ('enterprise', null)$$,
  'applying the catalogue again changes no plan'
);

-- A deleted store.
create temporary table kept as
  select e.* from public.metric_events e join tenant t using (org_id) where t.tier in ('free', 'starter');
select pg_temp.send('enterprise', array(select generate_series(1, 6)));
delete from public.stores where id = (select store_id from tenant where tier = 'enterprise');
select results_eq(
  'select store_id from app.deleted_stores', $$select store_id from tenant where tier = 'enterprise'$$, 'a deleted store is noted'
);
select is(
  pg_temp.send('enterprise', '{0}') #>> '{errors,0,code}', 'unknown_store', 'and takes no events any more'
);
select throws_ok(
  $$insert into public.stores (org_id, workspace_id, name, id)
      select t.org_id, w.id, 'Again', t.store_id from tenant t join public.workspaces w on w.org_id = t.org_id
      where t.tier = 'enterprise'$$,
  'TH014', null, 'its id cannot be used again while its events are there'
);
insert into report select 'store', pg_temp.maintain(3, 500);
select is(
  (
    select max((answer ->> 'store_events_deleted')::integer + (answer ->> 'store_rollups_deleted')::integer)
    from report where run = 'store'
  ),
  3, 'a call deletes no more rows than it may'
);
select results_eq(
  $$select
      (select count(*) from public.metric_events e where e.store_id = t.store_id),
      (select count(*) from public.metric_rollups r where r.store_id = t.store_id),
      (select count(*) from app.deleted_stores)
    from tenant t where t.tier = 'enterprise'$$,
  'values (0::bigint, 0::bigint, 0::bigint)', 'nothing is left of the store'
);
select lives_ok(
  $$insert into public.stores (org_id, workspace_id, name, id)
      select t.org_id, w.id, 'Again', t.store_id from tenant t join public.workspaces w on w.org_id = t.org_id
      where t.tier = 'enterprise'$$,
  'and its id may be used again'
);

-- A deleted organization.
delete from public.organizations where id = (select org_id from tenant where tier = 'growth');
insert into report select 'organization', pg_temp.maintain(50000, 500);
select results_eq(
  $$select
      (select count(*) from public.metric_events e where e.org_id = t.org_id),
      (select count(*) from public.metric_rollups r where r.org_id = t.org_id),
      (select count(*) from app.retention r where r.org_id = t.org_id),
      (select count(*) from app.deleted_stores)
    from tenant t where t.tier = 'growth'$$,
  'values (0::bigint, 0::bigint, 0::bigint, 0::bigint)', 'nothing is left of a deleted organization'
);
select set_eq(
  $$select e.* from public.metric_events e join tenant t using (org_id) where t.tier in ('free', 'starter')$$,
  'select * from kept', 'and others'' events are where they were'
);

-- Who may.
set local role authenticated;
select throws_ok('select app.maintain()', '42501', null, 'a tenant does not maintain');
select throws_ok('select from app.retention', '42501', null, 'and sees nothing of it');
set local role service_role;
select is(app.maintain() ->> 'again', 'false', 'service_role does');
select throws_ok(
  format('select app.maintain(%s, %s)', rows, organizations), '22023', null, 'not for nothing: ' || rows
)
from (values ('0', '0'), ('-1', '5'), ('null', 'null')) as nothing(rows, organizations);
set local role none;

select * from finish();
rollback;
