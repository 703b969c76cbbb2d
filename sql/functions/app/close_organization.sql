-- Closes an organization's months up to a point (null: none), and settles that its deleted stores are gone: no batch is under
-- way, or can come, that still writes into the one or the other. p_wait says whether to wait, a second at most, for batches
-- under way, which hold the lock of app.closed_before; new ones wait behind it.
--
-- Months stay open while rollups are to be rebuilt (app.rebuild_rollups): the events that they are made of must be there.
--
-- Answers false where there was a batch under way, or a standard definition is changing, or where the organization is being deleted at this moment.

set role tally_owner;

create or replace function app.close_organization(p_org_id uuid, p_closed_before timestamptz, p_wait boolean)
  returns boolean
  language plpgsql volatile set search_path = '' set lock_timeout = '1s'
as $$
declare
  v_lock constant bigint := app.batch_lock(p_org_id);
  v_closed boolean;
begin
  if p_wait then
    begin
      perform pg_advisory_xact_lock(v_lock);
    exception when lock_not_available then
      return false;
    end;
  elsif not pg_try_advisory_xact_lock(v_lock) then
    return false;
  end if;

  -- A change of a standard definition waits for all batches, and decides by what is closed (app.follow_metric_definition).
  begin
    lock table only public.metric_events in row exclusive mode nowait;
  exception when lock_not_available then
    return false;
  end;

  insert into app.retention as r (org_id, closed_before)
  select o.id, p_closed_before
  from public.organizations o
  where o.id = p_org_id and p_closed_before is not null
    and not exists (select from app.rollup_rebuilds r where r.org_id = p_org_id)
  for key share skip locked
  on conflict (org_id) do update
  set closed_before = excluded.closed_before, closed_at = now()
  where r.closed_before < excluded.closed_before;
  v_closed := found;

  update app.deleted_stores set closed_at = now() where org_id = p_org_id and closed_at is null;
  return v_closed or found;
end
$$;

comment on function app.close_organization(uuid, timestamptz, boolean) is
  'Closes months of an organization and settles that its deleted stores are gone; false where a batch is under way';

reset role;
