-- The key of the advisory lock between an organization's batches and what must not happen beside them: batches take it shared
-- (app.closed_before), who closes months, settles that a store is gone, or changes what rollups are kept by takes it exclusively.
-- Two organizations of one hash wait for each other, which is rare and harmless.

set role tally_owner;

create or replace function app.batch_lock(p_org_id uuid) returns bigint
  language plpgsql immutable set search_path = ''
as $$
begin
  return (1413565516::bigint << 32) | (hashtext(p_org_id::pg_catalog.text)::bigint & 4294967295); -- 'TALL'
end
$$;

comment on function app.batch_lock(uuid) is
  'The key of the advisory lock that batches of an organization hold shared, and whoever must be alone exclusively';
grant execute on function app.batch_lock(uuid) to tally_ingest, service_role;

reset role;
