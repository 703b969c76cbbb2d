-- Bounds on what an organization can put into one row. A row beyond them stops the migration, which names the constraint: it is
-- for the operator to say what becomes of it.
--
-- These tables are small.
-- squawk-ignore-file constraint-missing-not-valid

set role tally_owner;

alter table public.organizations
  add constraint organizations_feature_flags_size_check check (octet_length(feature_flags::text) <= 65536),
  add constraint organizations_white_label_config_size_check check (octet_length(white_label_config::text) <= 65536);

alter table public.stores
  add constraint stores_external_id_check check (length(external_id) between 1 and 200);

reset role;
