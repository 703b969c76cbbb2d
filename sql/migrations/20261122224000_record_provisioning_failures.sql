-- What a sign-up could not make is kept here, since no sign-up fails for want of an organization; and what the provider
-- needs to call its functions in the database.

set role tally_owner;

create table app.provisioning_failures (
  user_id uuid not null constraint provisioning_failures_pkey primary key,
  failed_at timestamptz not null default now(),
  sqlstate text not null,
  message text not null,
  attempts bigint not null default 1,
  resolved_at timestamptz,
  constraint provisioning_failures_sqlstate_check check (sqlstate ~ '^[0-9A-Z]{5}$'),
  constraint provisioning_failures_message_check check (length(message) <= 500),
  constraint provisioning_failures_attempts_check check (attempts > 0)
);
comment on table app.provisioning_failures is
  'Users who signed up and got no organization at once; each access token tries again. To be looked at where resolved_at is null';
comment on column app.provisioning_failures.failed_at is 'When it failed last';
comment on column app.provisioning_failures.sqlstate is 'What kind of failure, as Postgres has it';
comment on column app.provisioning_failures.message is 'What the database said, without its detail and without what the user entered';
comment on column app.provisioning_failures.attempts is 'How often it failed';
comment on column app.provisioning_failures.resolved_at is 'When the user got the organization after all';

alter table app.provisioning_failures enable row level security;
alter table app.provisioning_failures force row level security;
create policy provisioning_failures_owner on app.provisioning_failures for all to tally_owner
  using (true) with check (true);
create policy provisioning_failures_service on app.provisioning_failures for all to service_role
  using (true) with check (true);
grant select, insert, update, delete on app.provisioning_failures to service_role;

-- The rule of what to call an organization has moved into the database: these took the name.
drop function if exists api.provision_user(uuid, text);
drop function if exists api.access_token_claims(uuid, text);

reset role;

-- As Supabase asks for a hook in the database; other roles have it anyway.
grant usage on schema public to supabase_auth_admin;
