-- The stores of an organization of the benchmark, under a plan whose limits are counted and never met: $1 the organization,
-- $2 how many.
with plan as (
  update public.organizations set plan_tier = 'growth' where id = $1
),
limits as (
  update app.plan_limits
  set events_retention_months = null, events_per_minute = 1000000000, events_per_month = 1000000000000
  where plan_tier = 'growth'
)
insert into public.stores (org_id, workspace_id, name, timezone, currency)
select
  w.org_id, w.id, 'Store ' || number,
  (array['America/New_York', 'Europe/Berlin', 'UTC', 'Asia/Tokyo'])[1 + number % 4], 'USD'
from public.workspaces w
cross join generate_series(1, $2::integer) as number
where w.org_id = $1
returning id
