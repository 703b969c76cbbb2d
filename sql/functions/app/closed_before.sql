-- Up to when the months of an organization are closed: what was recorded before is not taken any more. '-infinity' where
-- nothing is.
--
-- Takes a shared lock on the organization until the end of the transaction, and looks after that. Whoever closes a month or
-- settles that a store is gone (app.close_organization) takes the same lock exclusively: so no batch that looked before is
-- under way when the removing of rows begins. Therefore everything that writes events or rollups calls this first, in a
-- statement of its own, and reads stores in a later one, at the isolation level read committed.
--
-- The lock: app.batch_lock.

set role tally_owner;

create or replace function app.closed_before(p_org_id uuid) returns timestamptz
  language plpgsql volatile set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock_shared(app.batch_lock(p_org_id));
  return coalesce((select r.closed_before from app.retention r where r.org_id = p_org_id), '-infinity');
end
$$;

comment on function app.closed_before(uuid) is
  'Up to when the months of an organization are closed; holds off their closing until the end of the transaction';
grant execute on function app.closed_before(uuid) to tally_ingest, service_role;

reset role;
