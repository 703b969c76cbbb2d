-- The credentials of integrations: schema private, whose functions service_role may call and whose table nobody but they can
-- read. Where there is Supabase Vault, the secrets are there and not here.

create schema private authorization tally_owner;

set role tally_owner;

comment on schema private is 'Credentials of integrations, behind functions for service_role; not to be exposed by PostgREST';
grant usage on schema private to service_role;

create table private.integration_secrets (
  org_id uuid not null,
  id uuid not null default gen_random_uuid(),
  connection_id uuid not null,
  ciphertext bytea not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint integration_secrets_pkey primary key (org_id, id),
  constraint integration_secrets_org_id_connection_id_key unique (org_id, connection_id),
  constraint integration_secrets_org_id_connection_id_fkey
    foreign key (org_id, connection_id) references public.integration_connections (org_id, id) on delete cascade
);
comment on table private.integration_secrets is
  'Credentials that are encrypted under a key of the caller, which is kept nowhere. A connection''s vault_secret_id says that this is where its credential is';
comment on column private.integration_secrets.connection_id is 'Whose credential it is; also in what is encrypted';
comment on column private.integration_secrets.ciphertext is 'An OpenPGP message, AES-256 under a key derived from the caller''s';

alter table private.integration_secrets enable row level security;
alter table private.integration_secrets force row level security;
create policy integration_secrets_owner on private.integration_secrets for all to tally_owner using (true) with check (true);

reset role;
