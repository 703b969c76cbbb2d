-- Trigger of stores: notes the deleted ones, whose events and rollups app.maintain removes bit by bit. They have no foreign
-- key to stores, whose cascade would delete them all in the one statement, with somebody waiting.
--
-- Security definer: who deletes a store, or an organization with its stores, has no business with the record.

set role tally_owner;

create or replace function app.record_deleted_stores() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into app.deleted_stores (org_id, store_id)
  select d.org_id, d.id from deleted d
  on conflict (org_id, store_id) do update set deleted_at = excluded.deleted_at, closed_at = null;
  return null;
end
$$;

comment on function app.record_deleted_stores() is 'Notes deleted stores, so that what they recorded is removed';

create or replace trigger stores_record_deleted after delete on public.stores
  referencing old table as deleted
  for each statement execute function app.record_deleted_stores();

reset role;
