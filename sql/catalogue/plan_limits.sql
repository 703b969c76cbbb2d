-- What each plan allows at first. The numbers belong to the operator: those that are there stay.

set role tally_owner;

insert into app.plan_limits (plan_tier, events_retention_months, events_per_minute, events_per_month, quarantined_events)
values
  ('free', 25, 300000, 10000000, 10000),
  ('starter', 37, 600000, 100000000, 10000),
  ('growth', 61, 1500000, 1000000000, 50000),
  ('enterprise', null, null, null, 100000)
on conflict (plan_tier) do nothing;

reset role;
