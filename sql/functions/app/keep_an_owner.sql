-- An organization keeps at least one owner.
--
-- Owners who go at the same time must see each other, so each first writes the organization's row: the second waits for
-- the first and then counts without it, or fails with 40001 where its snapshot is older (repeatable read). Where the
-- organization itself goes, there is no row left to write, and nothing to keep.
--
-- Security definer: who leaves may not write the organization's row.
--
-- Errors: TH009 the last owner.

set role tally_owner;

create or replace function app.keep_an_owner() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and new.role = 'owner' and new.org_id = old.org_id then
    return null;
  end if;
  update public.organizations set updated_at = now() where id = old.org_id;
  if found and not exists (select from public.org_members where org_id = old.org_id and role = 'owner') then
    raise exception using
      errcode = 'TH009', message = 'An organization keeps at least one owner: make another member owner first.';
  end if;
  return null;
end
$$;

comment on function app.keep_an_owner() is 'Keeps the last owner of an organization from being removed or demoted';

create or replace trigger org_members_keep_an_owner
  after update of org_id, role or delete on public.org_members
  for each row when (old.role = 'owner')
  execute function app.keep_an_owner();

reset role;
