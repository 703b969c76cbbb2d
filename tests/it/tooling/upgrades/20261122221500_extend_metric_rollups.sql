-- An event of the stock, and its rollups with the last value.

insert into public.metric_events (org_id, store_id, source, event_id, recorded_at, metric_key, value)
values (
  '11111111-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000001', 'api', 'stock-1', '2026-01-06T10:00:00Z',
  'stock', 7
);

insert into public.metric_rollups
  (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions, count, sum, min, max, last, last_at)
values
  ('11111111-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000001', 'stock', '15m',
   '2026-01-06T10:00:00Z', '', '{}', 1, 7, 7, 7, 7, '2026-01-06T10:00:00Z'),
  ('11111111-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000001', 'stock', 'day',
   '2026-01-06T05:00:00Z', '', '{}', 1, 7, 7, 7, 7, '2026-01-06T10:00:00Z');
