-- What each plan allows at first. The numbers belong to the operator: those that are there stay.

set role tally_owner;

insert into app.plan_limits (plan_tier, events_retention_months)
values ('free', 25), ('starter', 37), ('growth', 61), ('enterprise', null)
on conflict (plan_tier) do nothing;

reset role;
