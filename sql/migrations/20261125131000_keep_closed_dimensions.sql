-- Rollups of closed months do not get the dimensions that a definition names later, since their events may be gone: that is kept, so
-- that no query by such a dimension is answered from them.

set role tally_owner;

create table app.closed_dimensions (
  org_id uuid not null constraint closed_dimensions_org_id_fkey references public.organizations (id) on delete cascade,
  metric_key text not null,
  closed_before timestamptz not null,
  dimensions text[] not null,
  constraint closed_dimensions_pkey primary key (org_id, metric_key, closed_before)
);
comment on table app.closed_dimensions is
  'By which dimensions the rollups of months that were closed are kept at most, where the definition names more: written by app.follow_metric_definition as it comes to name them';
comment on column app.closed_dimensions.dimensions is 'Names of dimensions; rollups may have fewer';
comment on column app.closed_dimensions.closed_before is 'Where the first month begins that was open then';

alter table app.closed_dimensions enable row level security;
alter table app.closed_dimensions force row level security;
create policy closed_dimensions_owner on app.closed_dimensions for all to tally_owner using (true) with check (true);
create policy closed_dimensions_service on app.closed_dimensions for select to service_role using (true);
create policy closed_dimensions_select on app.closed_dimensions for select to tally_query
  using (org_id = (select app.org_id()));
grant select on app.closed_dimensions to tally_query, service_role;

reset role;
