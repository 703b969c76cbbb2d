-- The key of the advisory lock that whoever changes an organization's quarantine takes: what is held stays within the limit, and
-- no two deadlock. It is taken after all locks on events and rollups.

set role tally_owner;

create or replace function app.quarantine_lock(p_org_id uuid) returns bigint
  language plpgsql immutable set search_path = ''
as $$
begin
  return (1363498580::bigint << 32) | (hashtext(p_org_id::pg_catalog.text)::bigint & 4294967295); -- 'QEVT'
end
$$;

comment on function app.quarantine_lock(uuid) is 'The key of the advisory lock of whoever changes an organization''s quarantine';
grant execute on function app.quarantine_lock(uuid) to tally_ingest;

reset role;
