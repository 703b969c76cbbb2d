-- A store whose rollups are to be rebuilt.

insert into app.rollup_rebuilds (org_id, store_id, metric_key)
values ('11111111-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000001', 'revenue');
