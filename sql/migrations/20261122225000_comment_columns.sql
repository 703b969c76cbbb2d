-- Says of the first types and columns what their names alone do not.

set role tally_owner;

comment on type public.plan_tier is 'What an organization pays for, from least to most';
comment on type public.org_role is 'What a member may do, from most to least';

comment on column public.organizations.feature_flags is
  'What is switched on for the organization; the product''s to set, not the tenant''s';
comment on column public.organizations.white_label_config is 'How the organization shows the product as its own';
comment on column public.api_keys.scopes is 'What the key may do: events:write, metrics:read';
comment on column public.metric_events.source is 'The system that the event comes from; part of what it is known by';
comment on column public.metric_events.dimensions is 'What the event can be filtered and grouped by, such as its channel';

reset role;
