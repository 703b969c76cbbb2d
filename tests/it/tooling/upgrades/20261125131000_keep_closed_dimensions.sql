-- A metric whose closed months have fewer dimensions than its definition.

insert into app.closed_dimensions (org_id, metric_key, closed_before, dimensions)
values ('11111111-0000-4000-8000-000000000001', 'revenue', '2026-01-01Z', '{}');
