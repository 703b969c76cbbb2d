-- The life of a sync job: every way from one status to the next, those that are refused, and who may see and do what. Time does
-- not pass inside a transaction, so a job is made due by hand. What workers do to each other at the same time is in tests/it.

begin;
select plan(102);

-- Acme and Bolt, with an owner, a member and a connection each.
select app.provision_user('aaaaaaaa-0000-4000-8000-000000000001', 'Acme');
select app.provision_user('bbbbbbbb-0000-4000-8000-000000000001', 'Bolt');
create temporary table org as
  select slug, id, signup_user_id as owner from public.organizations where slug in ('acme', 'bolt');
insert into public.org_members (org_id, user_id, role)
  select id, 'aaaaaaaa-0000-4000-8000-000000000002', 'member' from org where slug = 'acme';
insert into public.stores (org_id, workspace_id, name) select org_id, id, 'Store' from public.workspaces;
insert into public.integration_connections (org_id, store_id, provider, display_name)
  select org_id, id, 'shopify', 'Shop' from public.stores;
create temporary table connection as
  select o.slug, c.org_id, c.id, c.store_id from public.integration_connections c join org o on o.id = c.org_id;
grant select on org, connection to public;

create function pg_temp.claim_as(p_slug text, p_user uuid, p_role text) returns void language sql as $$
  select set_config(
    'request.jwt.claims',
    (select json_build_object('sub', p_user, 'org_id', id, 'user_role', p_role)::text from org where slug = p_slug),
    true
  )
$$;
create function pg_temp.owner(p_slug text) returns void language sql as $$
  select pg_temp.claim_as(p_slug, (select owner from org where slug = p_slug), 'owner')
$$;
create function pg_temp.connection(p_slug text) returns uuid language sql stable as $$
  select id from connection where slug = p_slug
$$;
-- The one job there is of a stream.
create function pg_temp.job(p_stream text) returns uuid language sql stable as $$
  select id from public.sync_jobs where stream = p_stream
$$;
create function pg_temp.make_due(p_stream text) returns void language sql as $$
  update public.sync_jobs set available_at = now() where stream = p_stream
$$;

-- What a worker took last, and its words with it.
create temporary table held (like public.sync_jobs);
alter table held alter column org_id drop not null, alter column id drop not null, alter column connection_id drop not null,
  alter column stream drop not null, alter column status drop not null, alter column priority drop not null,
  alter column available_at drop not null, alter column attempts drop not null, alter column max_attempts drop not null,
  alter column records drop not null, alter column created_at drop not null, alter column updated_at drop not null;
grant select, insert, delete on held to public;
create function pg_temp.take(p_lease interval default '5 minutes', p_providers text[] default null) returns text language sql as $$
  delete from held;
  insert into held (org_id, id, stream, cursor, attempts, lease_token)
    select org_id, id, stream, cursor, attempts, lease_token from app.claim_sync_job('worker', p_lease, p_providers);
  select stream from held
$$;
create function pg_temp.beat() returns timestamptz language sql as
  'select app.heartbeat_sync_job(org_id, id, lease_token) from held';
create function pg_temp.save(p_cursor jsonb, p_records bigint) returns timestamptz language sql as
  'select app.checkpoint_sync_job(org_id, id, lease_token, p_cursor, p_records) from held';
create function pg_temp.finish_job(p_cursor jsonb default null, p_records bigint default 0) returns public.sync_status language sql as
  'select app.complete_sync_job(org_id, id, lease_token, p_cursor, p_records) from held';
create function pg_temp.fail_job(p_type text, p_detail text default null, p_after interval default null)
  returns public.sync_status language sql as
  'select app.fail_sync_job(org_id, id, lease_token, p_type, p_detail, p_after) from held';
-- How long a job waits, in seconds.
create function pg_temp.wait(p_stream text) returns numeric language sql stable as $$
  select extract(epoch from available_at - now()) from public.sync_jobs where stream = p_stream
$$;

-- ---------------------------------------------------------------------------------------------------------------------
-- Tenants: connections

set local role authenticated;
select pg_temp.owner('acme');
select results_eq('select id from public.integration_connections', $$select pg_temp.connection('acme')$$, 'owner: the own connection');
select throws_ok('select vault_secret_id from public.integration_connections', '42501', null, 'owner: not where the credential is');
select results_eq('select has_credential from public.integration_connections', 'values (false)', 'owner: whether there is one');
select lives_ok(
  $$insert into public.integration_connections (org_id, store_id, provider, display_name, external_account_id)
      select org_id, store_id, 'meta_ads', 'Ads', '1' from connection where slug = 'acme'$$,
  'owner: makes a connection'
);
select results_eq(
  $$select created_by from public.integration_connections where provider = 'meta_ads'$$, $$select owner from org where slug = 'acme'$$,
  'and it is known who made it'
);
select throws_ok(
  $$insert into public.integration_connections (org_id, store_id, provider, display_name)
      select org_id, store_id, 'shopify', 'Twice' from connection where slug = 'acme'$$,
  '23505', null, 'one connection to an account, also to one without a name'
);
select throws_ok(
  $$insert into public.integration_connections (org_id, store_id, provider, display_name)
      select org_id, store_id, 'stripe', 'Stolen' from connection where slug = 'bolt'$$,
  '42501', null, 'owner: no connection in another organization'
);
select throws_ok(
  $$insert into public.integration_connections (org_id, store_id, provider, display_name)
      select a.org_id, b.store_id, 'stripe', 'Stolen' from connection a, connection b where a.slug = 'acme' and b.slug = 'bolt'$$,
  '23503', null, 'owner: no connection of another organization''s store'
);
select throws_ok(
  $$update public.integration_connections set vault_secret_id = gen_random_uuid()$$, '42501', null, 'owner: no credential by hand'
);
select throws_ok(
  $$insert into public.integration_connections (org_id, store_id, provider, display_name, settings)
      select org_id, store_id, 'stripe', 'Large', jsonb_build_object('x', repeat('x', 16384)) from connection where slug = 'acme'$$,
  '23514', null, 'settings are small'
);
select lives_ok(
  $$update public.integration_connections set status = 'paused', display_name = 'Pause' where provider = 'meta_ads'$$, 'owner: pauses'
);
select lives_ok($$delete from public.integration_connections where provider = 'meta_ads'$$, 'owner: deletes');
select is((select count(*) from public.integration_connections), 1::bigint, 'and it is gone');

select pg_temp.claim_as('acme', 'aaaaaaaa-0000-4000-8000-000000000002', 'member');
select results_eq('select provider from public.integration_connections', $$values ('shopify')$$, 'member: reads');
select throws_ok(
  $$insert into public.integration_connections (org_id, store_id, provider, display_name)
      select org_id, store_id, 'stripe', 'Mine' from connection where slug = 'acme'$$,
  '42501', null, 'member: makes none'
);
select results_eq(
  $$with changed as (update public.integration_connections set display_name = 'Mine' returning 1) select count(*)::int from changed$$,
  'values (0)', 'member: changes none'
);
select results_eq(
  'with gone as (delete from public.integration_connections returning 1) select count(*)::int from gone', 'values (0)',
  'member: deletes none'
);

-- ---------------------------------------------------------------------------------------------------------------------
-- Tenants: jobs

select throws_ok($$select app.schedule_sync_job(pg_temp.connection('acme'), 'orders')$$, 'TH003', null, 'member: schedules nothing');
select throws_ok('select app.retry_sync_job(gen_random_uuid())', 'TH003', null, 'member: retries nothing');
select throws_ok('select app.cancel_sync_job(gen_random_uuid())', 'TH003', null, 'member: cancels nothing');

select pg_temp.owner('acme');
select lives_ok($$select app.schedule_sync_job(pg_temp.connection('acme'), 'orders', '1 hour')$$, 'owner: schedules');
select is(
  app.schedule_sync_job(pg_temp.connection('acme'), 'orders', '2 hours', 150), pg_temp.job('orders'), 'once more: the same job'
);
select results_eq(
  'select every, priority, status from public.sync_jobs', $$values (interval '2 hours', 150::bigint, 'pending'::public.sync_status)$$,
  'with what was asked last'
);
select throws_ok(
  $$select app.schedule_sync_job(pg_temp.connection('acme'), 'first', null, 99)$$, '22023', 'A priority is at least 100.',
  'owner: not before the jobs of others'
);
select throws_ok(
  format('select app.schedule_sync_job(pg_temp.connection(%L), %L, %L)', 'acme', 'often', every), '23514', null,
  'owner: no interval that leads back: ' || every
)
from unnest(array['-1 month 30 days 1 minute', '2 days -47:59', '59 seconds', '13 months']) as every;
select lives_ok(
  $$select app.schedule_sync_job(pg_temp.connection('acme'), 'stream_' || n) from generate_series(1, 999) n$$,
  'owner: a thousand unfinished jobs'
);
select throws_ok(
  $$select app.schedule_sync_job(pg_temp.connection('acme'), 'stream_1000')$$, '54000', null, 'owner: and no more'
);
select lives_ok($$select app.schedule_sync_job(pg_temp.connection('acme'), 'stream_999')$$, 'owner: but what there is, again');
reset role;
delete from public.sync_jobs where stream like 'stream%';
set local role authenticated;
select throws_ok(
  $$select app.schedule_sync_job(pg_temp.connection('bolt'), 'orders')$$, 'TH013', null, 'owner: nothing of another organization'
);
select throws_ok(
  $$select app.schedule_sync_job(pg_temp.connection('acme'), 'refunds', '1 second')$$, '23514', null, 'not again each second'
);
select throws_ok($$select app.schedule_sync_job(pg_temp.connection('acme'), 'No such form')$$, '23514', null, 'streams are keys');
select throws_ok(
  $$insert into public.sync_jobs (org_id, connection_id, stream) select org_id, id, 'x' from connection where slug = 'acme'$$,
  '42501', null, 'owner: no job by hand'
);
select throws_ok($$update public.sync_jobs set status = 'succeeded'$$, '42501', null, 'owner: no status by hand');
select throws_ok('delete from public.sync_jobs', '42501', null, 'owner: no job is deleted by hand');
select throws_ok('select lease_token from public.sync_jobs', '42501', null, 'owner: not the token of a worker');
select throws_ok($$select app.claim_sync_job('me')$$, '42501', null, 'owner: is no worker');

select pg_temp.claim_as('acme', 'aaaaaaaa-0000-4000-8000-000000000002', 'member');
select results_eq('select stream from public.sync_jobs', $$values ('orders')$$, 'member: reads');
select pg_temp.owner('bolt');
select is_empty('select id from public.sync_jobs', 'another organization: sees none');
reset role;
select throws_ok(
  format('set local role authenticated; select app.cancel_sync_job(%L)', pg_temp.job('orders')), 'TH013', null,
  'another organization: cancels none'
);
reset role;
delete from public.org_members where user_id = 'aaaaaaaa-0000-4000-8000-000000000002';
set local role authenticated;
select pg_temp.claim_as('acme', 'aaaaaaaa-0000-4000-8000-000000000002', 'owner');
select throws_ok(
  $$select app.schedule_sync_job(pg_temp.connection('acme'), 'orders')$$, 'TH003', null, 'a token of somebody who left: nothing'
);
reset role;

-- ---------------------------------------------------------------------------------------------------------------------
-- Workers: claim, heartbeat, checkpoint, complete

set local role service_role;
select throws_ok($$select app.claim_sync_job('worker', '0.9 seconds')$$, '22023', null, 'no lease under a second');
select throws_ok($$select app.claim_sync_job('worker', '61 minutes')$$, '22023', null, 'no lease over an hour');
select throws_ok($$select app.claim_sync_job(null)$$, '23514', null, 'no worker without a name');
select is(pg_temp.take('5 minutes', '{stripe}'), null, 'no job of that provider');

update public.integration_connections set status = 'paused';
select is(pg_temp.take(), null, 'no job of a connection that is paused');
update public.integration_connections set status = 'active';

select results_eq(
  $$insert into held (org_id, id, lease_token, stream) select org_id, id, lease_token, stream
      from app.claim_sync_job('worker', '5 minutes', '{shopify}') returning stream$$,
  $$values ('orders')$$, 'a job that is due is handed out'
);
select ok(
  status = 'running' and worker = 'worker' and attempts = 1 and records = 0 and started_at = now() and finished_at is null
    and available_at between now() + interval '5 minutes' and now() + interval '6 minutes' and cursor is null,
  'and runs'
) from public.sync_jobs;
select is((select count(*) from app.claim_sync_job('other')), 0::bigint, 'once');

update public.sync_jobs set available_at = now() - interval '1 second';
select ok(pg_temp.beat() > now() + interval '4 minutes', 'a heartbeat lends it on');
select is((select count(*) from app.claim_sync_job('other')), 0::bigint, 'so nobody else has it');
update public.sync_jobs set available_at = now() - interval '1 second';
select ok(pg_temp.save('{"after": 10}', 10) > now() + interval '4 minutes', 'a checkpoint lends it on');
select is((select count(*) from app.claim_sync_job('other')), 0::bigint, 'so that nobody else has it either');
select pg_temp.save('{"after": 30}', 20);
select results_eq(
  'select cursor, records, status from public.sync_jobs',
  $$values ('{"after": 30}'::jsonb, 30::bigint, 'running'::public.sync_status)$$, 'and saves cursor and records'
);
select throws_ok('select pg_temp.save(null, 1)', '22023', null, 'no checkpoint without a cursor');
select throws_ok($$select pg_temp.save('1', -1)$$, '22023', null, 'no records taken back');
select throws_ok($$select pg_temp.save(to_jsonb(repeat('x', 65535)), 1)$$, '23514', null, 'no cursor over 64 KiB');
select lives_ok($$select pg_temp.save(to_jsonb(repeat('x', 65534)), 0)$$, 'but one of 64 KiB');

select is(pg_temp.finish_job('{"after": 35}', 5), 'pending'::public.sync_status, 'a recurring job waits after its end');
select ok(
  available_at = now() + interval '2 hours' and cursor = '{"after": 35}' and records = 35 and attempts = 0
    and finished_at = now() and lease_token is null,
  'for the next run, which goes on from the cursor'
) from public.sync_jobs;
select throws_ok('select pg_temp.finish_job()', 'TH010', null, 'ended is ended');
select pg_temp.make_due('orders');
select pg_temp.take();
select results_eq('select cursor from held', $$values ('{"after": 35}'::jsonb)$$, 'it goes on from there');
select results_eq('select records from public.sync_jobs', 'values (0::bigint)', 'and counts anew');
update public.sync_jobs set every = null;
select is(pg_temp.finish_job(), 'succeeded'::public.sync_status, 'any other has succeeded');
select ok(cursor = '{"after": 35}' and finished_at = now(), 'and keeps its cursor') from public.sync_jobs;
reset role;

-- ---------------------------------------------------------------------------------------------------------------------
-- Failures that pass

select set_config('test.over', pg_temp.job('orders')::text, true);
set local role authenticated;
select pg_temp.owner('bolt');
select throws_ok(
  $$select app.retry_sync_job(current_setting('test.over')::uuid)$$, 'TH013', null, 'another organization: retries none'
);
select pg_temp.owner('acme');
select lives_ok($$select app.retry_sync_job(pg_temp.job('orders'))$$, 'owner: once more, what is over');
select throws_ok($$select app.retry_sync_job(pg_temp.job('orders'))$$, 'TH013', null, 'but not what is not');
reset role;

set local role service_role;
select pg_temp.take();
select throws_ok($$select pg_temp.fail_job('boredom')$$, '22023', null, 'no error of an unknown kind');
select throws_ok($$select pg_temp.fail_job('lost_worker')$$, '22023', null, 'nor one that no worker can have');
select is(pg_temp.fail_job('transient', repeat('x', 2000)), 'pending'::public.sync_status, 'it is to be tried again');
select ok(
  error_type = 'transient' and length(error_detail) = 1000 and attempts = 1 and finished_at is null and cursor is not null,
  'with the reason, cut, and its cursor'
) from public.sync_jobs;
select ok(pg_temp.wait('orders') between 8 and 10, 'after 10 s, or a little less');
select throws_ok('select pg_temp.beat()', 'TH010', null, 'and it is not the worker''s any more');
select pg_temp.make_due('orders'), pg_temp.take(), pg_temp.fail_job('internal');
select ok(pg_temp.wait('orders') between 24 and 30, 'then after 30 s');
update public.sync_jobs set attempts = 15;
select pg_temp.make_due('orders'), pg_temp.take(), pg_temp.fail_job('rate_limited');
select ok(pg_temp.wait('orders') between 2880 and 3600, 'at last after an hour, not more');
update public.sync_jobs set attempts = 0;
select pg_temp.make_due('orders'), pg_temp.take(), pg_temp.fail_job('rate_limited', null, '2 hours');
select is(pg_temp.wait('orders'), 7200::numeric, 'or when the provider says');
select pg_temp.make_due('orders'), pg_temp.take(), pg_temp.fail_job('rate_limited', null, '1 year');
select is(pg_temp.wait('orders'), 86400::numeric, 'but not after more than a day');
select pg_temp.make_due('orders'), pg_temp.take(), pg_temp.fail_job('transient', null, '1 second');
select ok(pg_temp.wait('orders') between 72 and 90, 'nor sooner than it would otherwise');

select pg_temp.make_due('orders'), pg_temp.take(), pg_temp.save('{"after": 40}', 5);
select ok(attempts = 1 and error_type is null, 'who comes further has all attempts again') from public.sync_jobs;
update public.sync_jobs set max_attempts = 1;
select is(pg_temp.fail_job('transient'), 'failed'::public.sync_status, 'the last attempt fails');
select ok(cursor = '{"after": 40}' and finished_at = now(), 'and keeps how far it came') from public.sync_jobs;
select pg_temp.make_due('orders');
select is(pg_temp.take(), null, 'what failed is not handed out');
reset role;

-- ---------------------------------------------------------------------------------------------------------------------
-- Failures that people must put right

set local role authenticated;
select app.retry_sync_job(pg_temp.job('orders'));
reset role;
set local role service_role;
select pg_temp.take();
select is(pg_temp.fail_job('authorization', 'The token was revoked.'), 'failed'::public.sync_status, 'without authorization it fails at once');
select results_eq(
  $$select status, last_error_type, last_error_at from public.integration_connections where id = pg_temp.connection('acme')$$,
  $$values ('error', 'authorization', now())$$, 'and the connection is in error'
);
select throws_ok($$select pg_temp.fail_job('configuration')$$, 'TH010', null, 'a late worker does not change that');
select results_eq(
  $$select last_error_type from public.integration_connections where id = pg_temp.connection('acme')$$,
  $$values ('authorization')$$, 'nor why'
);
reset role;

-- ---------------------------------------------------------------------------------------------------------------------
-- Workers that die, and jobs that are cancelled

set local role authenticated;
select app.retry_sync_job(pg_temp.job('orders'));
reset role;
set local role service_role;
update public.integration_connections set status = 'active';
update public.sync_jobs set max_attempts = 2;
select pg_temp.take();
create temporary table late as select * from held;
select pg_temp.make_due('orders');
select is(pg_temp.take(), 'orders', 'a job whose lease is over is handed out again');
select results_eq('select cursor, attempts from held', $$values ('{"after": 40}'::jsonb, 2::bigint)$$, 'from its last checkpoint');
select throws_ok(
  'select app.checkpoint_sync_job(org_id, id, lease_token, to_jsonb(99), 1) from late', 'TH010', null,
  'the worker that had it is refused'
);
select pg_temp.make_due('orders');
select is(pg_temp.take(), null, 'and not a third time');
select results_eq(
  'select status, error_type, cursor from public.sync_jobs',
  $$values ('failed'::public.sync_status, 'lost_worker', '{"after": 40}'::jsonb)$$, 'it failed, its workers being lost'
);
reset role;

set local role authenticated;
select app.retry_sync_job(pg_temp.job('orders'));
reset role;
set local role service_role;
select pg_temp.take();
reset role;
set local role authenticated;
select lives_ok($$select app.cancel_sync_job(pg_temp.job('orders'))$$, 'owner: cancels what runs');
select throws_ok($$select app.cancel_sync_job(pg_temp.job('orders'))$$, 'TH013', null, 'once');
select app.schedule_sync_job(pg_temp.connection('acme'), 'refunds');
select lives_ok($$select app.cancel_sync_job(pg_temp.job('refunds'))$$, 'owner: cancels what waits');
select app.schedule_sync_job(pg_temp.connection('acme'), 'refunds');
select throws_ok(
  $$select app.retry_sync_job(id) from public.sync_jobs where stream = 'refunds' and status = 'cancelled'$$, '23505', null,
  'no second unfinished job of a stream'
);
reset role;
set local role service_role;
select throws_ok('select pg_temp.save(to_jsonb(50), 1)', 'TH010', null, 'a worker learns that its job was cancelled');
select throws_ok('select pg_temp.finish_job()', 'TH010', null, 'and cannot end it');

-- The order: priority, then the time it has waited.
insert into public.sync_jobs (org_id, connection_id, stream, priority, available_at)
  select org_id, id, 'late', 10, now() - interval '1 minute' from connection where slug = 'bolt'
  union all select org_id, id, 'early', 10, now() - interval '1 hour' from connection where slug = 'bolt'
  union all select org_id, id, 'idle', 500, now() - interval '1 day' from connection where slug = 'bolt'
  union all select org_id, id, 'future', 0, now() + interval '1 minute' from connection where slug = 'bolt';
select is(
  array[pg_temp.take(), pg_temp.take(), pg_temp.take(), pg_temp.take(), pg_temp.take()],
  array['early', 'late', 'refunds', 'idle', null],
  'the least priority first, then what has waited longest, and nothing that is not due'
);
reset role;

delete from public.stores;
select is_empty('select from public.sync_jobs', 'connections and jobs go with the store');

select * from finish();
rollback;
