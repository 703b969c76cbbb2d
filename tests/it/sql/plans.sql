-- Enough of everything that an index beats reading a table through: 1,000 organizations with five stores, two keys and thirty
-- revoked ones each, 120,000 events of four of them over the last half year, and their rollups.

select app.provision_user(('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'Company ' || n)
from generate_series(1, 1000) as n;

insert into public.stores (org_id, workspace_id, name)
select w.org_id, w.id, 'Store ' || n
from public.workspaces w
cross join generate_series(1, 5) as n;

insert into public.api_keys (org_id, name, key_hash, prefix, scopes, created_at, revoked_at)
select o.id, 'Key', encode(sha256(convert_to(o.slug || n, 'UTF8')), 'hex'), 'tally_', '{metrics:read}',
  now() - n * interval '1 day', case when n > 2 then now() end
from public.organizations o
cross join generate_series(1, 32) as n;

select app.ensure_partition((date_trunc('month', now()) - make_interval(months => n))::date) from generate_series(0, 6) as n;

insert into public.metric_events (org_id, store_id, source, event_id, recorded_at, metric_key, value, dimensions)
select s.org_id, s.id, 'test', 'event-' || n, now() - n * interval '40 minutes', 'orders', n % 7 + 1,
  jsonb_build_object('channel', case when n % 2 = 0 then 'web' else 'app' end)
from public.stores s
join public.organizations o on o.id = s.org_id and o.slug in ('company-1', 'company-2', 'company-3', 'company-4')
cross join generate_series(1, 6000) as n;

insert into public.metric_rollups
  (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions, count, sum, min, max, last, last_at)
select e.org_id, e.store_id, e.metric_key, b.grain, b.start, '', e.dimensions,
  count(*), sum(e.value), min(e.value), max(e.value), max(e.value), max(e.recorded_at)
from public.metric_events e
cross join lateral (
  values ('15m', date_bin('15 minutes', e.recorded_at, '2000-01-01Z')), ('day', date_trunc('day', e.recorded_at, 'UTC'))
) as b(grain, start)
group by 1, 2, 3, 4, 5, 6, 7;

insert into public.quarantined_events (org_id, store_id, code, detail, body, body_hash, event)
select s.org_id, s.id, 'unknown_metric', 'There is no such metric.', 'body ' || n, sha256(convert_to('body ' || n, 'UTF8')), '{}'
from public.stores s
cross join generate_series(1, 4) as n;

insert into public.event_changes (org_id, changed_at, action, user_id, store_id, source, event_id, recorded_at, before)
select s.org_id, now() - n * interval '1 hour', 'deleted', o.signup_user_id, s.id, 'test', 'gone-' || n, now(), '{}'
from public.stores s
join public.organizations o on o.id = s.org_id
cross join generate_series(1, case when o.slug = 'company-1' then 2000 else 4 end) as n;

-- Twenty-six currencies over a decade for all, and over four weeks an organization.
insert into public.exchange_rates (currency, day, rate)
select 'A' || chr(65 + c) || 'A', date '2017-01-01' + d, 1 + c * 0.1
from generate_series(0, 25) as c
cross join generate_series(0, 3649) as d;

insert into public.exchange_rates (org_id, currency, day, rate)
select o.id, 'A' || chr(65 + c) || 'A', date '2026-10-01' + d, 2 + c * 0.1
from public.organizations o
cross join generate_series(0, 4) as c
cross join generate_series(0, 27) as d;

-- With the partitions of the parent, and with what policies look up.
analyze;
