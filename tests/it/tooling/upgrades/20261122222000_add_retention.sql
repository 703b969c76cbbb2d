-- A plan, an organization with closed months, and a store that was deleted.

insert into app.plan_limits (plan_tier, events_retention_months) values ('growth', 25);

insert into app.retention (org_id, closed_before, purged_before)
values ('11111111-0000-4000-8000-000000000001', '2025-12-01', '2025-11-01');

insert into app.deleted_stores (org_id, store_id)
values ('11111111-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000009');
