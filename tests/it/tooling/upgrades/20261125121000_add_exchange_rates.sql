-- A rate for all, and an organization's own for the same day.

insert into public.exchange_rates (org_id, currency, day, rate, loaded_at)
values
  (null, 'USD', '2026-10-02', 1.1712, '2026-10-02T15:00:00Z'),
  ('11111111-0000-4000-8000-000000000001', 'USD', '2026-10-02', 1.20, '2026-10-03T08:00:00Z');
