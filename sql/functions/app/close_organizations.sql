-- Closes, for a bounded number of organizations, what their plans do not keep any more and what they deleted. The rows are
-- removed by a later transaction (app.purge_events, app.purge_stores): then nothing can be written that it does not see.
--
-- The locks stay until the end of the transaction and hold up the batches of those organizations, so this comes last in it.
-- It asks for them without waiting and leaves out an organization that has a batch under way. Only where all have, it waits for
-- one, with no other's lock in its hands: one that never pauses gets its turn.
--
-- Answers {"closed", "busy"}: how many.

set role tally_owner;

create or replace function app.close_organizations(p_max_organizations integer) returns jsonb
  language plpgsql volatile set search_path = ''
as $$
declare
  v_org record;
  v_waiting record;
  v_closed integer := 0;
  v_busy integer := 0;
begin
  for v_org in
    -- Once for each plan and not for each organization.
    with plan as materialized (
      select l.plan_tier, app.plan_closed_before(l.events_retention_months) as closed_before from app.plan_limits l
    )
    select coalesce(p.org_id, d.org_id) as org_id, p.closed_before
    from (
      select o.id as org_id, plan.closed_before
      from plan
      join public.organizations o on o.plan_tier = plan.plan_tier
      left join app.retention r on r.org_id = o.id
      where plan.closed_before > coalesce(r.closed_before, '-infinity')
    ) as p
    full join (select distinct s.org_id from app.deleted_stores s where s.closed_at is null) as d on d.org_id = p.org_id
    order by random()
    limit p_max_organizations
  loop
    if app.close_organization(v_org.org_id, v_org.closed_before, false) then
      v_closed := v_closed + 1;
    else
      v_busy := v_busy + 1;
      v_waiting := v_org;
    end if;
  end loop;

  if v_closed = 0 and v_busy > 0 then
    if app.close_organization(v_waiting.org_id, v_waiting.closed_before, true) then
      v_closed := 1;
      v_busy := v_busy - 1;
    end if;
  end if;
  return jsonb_build_object('closed', v_closed, 'busy', v_busy);
end
$$;

comment on function app.close_organizations(integer) is
  'Closes what plans do not keep any more and what was deleted, so that its rows can be removed';

reset role;
