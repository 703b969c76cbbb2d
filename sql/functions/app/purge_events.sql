-- Deletes the raw events of months that their organizations have closed, a bounded number of them, and leaves those months
-- out that nobody keeps: they are dropped whole. Rollups stay.
--
-- Answers {"events", "more"}: how many it deleted, whether there may be more to delete at once.

set role tally_owner;

create or replace function app.purge_events(p_max_rows integer, p_max_organizations integer) returns jsonb
  language plpgsql volatile set search_path = ''
as $$
declare
  v_kept constant pg_catalog.text[] := array(
    select m.name
    from app.event_months() m
    where m.ends <= (select max(r.closed_before) from app.retention r where r.purged_before < r.closed_before)
      and app.month_state(m.starts, m.ends) = 'kept'
  );
  v_org record;
  v_month record;
  v_left integer := p_max_rows;
  v_purged_before pg_catalog.timestamptz;
  v_done integer := 0;
begin
  for v_org in
    select r.org_id, r.closed_before, r.purged_before
    from app.retention r
    where r.purged_before < r.closed_before
    order by r.org_id
    limit p_max_organizations
  loop
    v_purged_before := v_org.closed_before;
    for v_month in
      select m.name, m.starts, m.ends
      from app.event_months() m
      where m.ends > v_org.purged_before and m.ends <= v_org.closed_before
      order by m.starts
    loop
      if v_month.name = any (v_kept) then
        v_left := v_left - app.delete_events(v_month.starts, v_month.ends, v_org.org_id, null, v_left);
        if v_left > 0 then
          continue;
        end if;
      end if;
      v_purged_before := least(v_purged_before, v_month.starts);
      exit when v_left <= 0;
    end loop;
    if v_purged_before > v_org.purged_before then
      update app.retention set purged_before = v_purged_before where org_id = v_org.org_id;
      v_done := v_done + 1;
    end if;
    exit when v_left <= 0;
  end loop;
  return jsonb_build_object('events', p_max_rows - v_left, 'more', v_left <= 0 or v_done >= p_max_organizations);
end
$$;

comment on function app.purge_events(integer, integer) is
  'Deletes a bounded number of raw events of closed months, rollups stay';

reset role;
