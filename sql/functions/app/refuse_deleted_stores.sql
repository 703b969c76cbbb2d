-- Trigger of stores: refuses the id of a store that was deleted as long as its rows are there. They would become the new
-- store's, and then be removed from under it. After the insert: one that waited for the deletion to end sees it only then.
--
-- Security definer: who makes a store has no business with the record.
--
-- Errors: TH014.

set role tally_owner;

create or replace function app.refuse_deleted_stores() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if exists (select from app.deleted_stores d join inserted i on i.org_id = d.org_id and i.id = d.store_id) then
    raise exception using errcode = 'TH014',
      message = 'A store of this id was deleted, and its events are still being removed: take a new id, or try again later.';
  end if;
  return null;
end
$$;

comment on function app.refuse_deleted_stores() is 'Refuses the id of a store whose rows are still being removed';

create or replace trigger stores_refuse_deleted after insert on public.stores
  referencing new table as inserted
  for each statement execute function app.refuse_deleted_stores();

reset role;
