-- Drops the partitions that no organization keeps any more, a bounded number of them, and leaves their rows to the file
-- system.
--
-- Dropping locks the parent against everybody (ACCESS EXCLUSIVE) until the end of the transaction, so nothing slow may come
-- after it. While it waits for a long reader, everybody else waits behind it: therefore not for long, and one that is not free
-- is busy until next time.
--
-- Answers {"dropped": [month], "busy": [month]}.

set role tally_owner;

create or replace function app.drop_months(p_max_months integer) returns jsonb
  language plpgsql volatile set search_path = '' set lock_timeout = '500ms'
as $$
declare
  v_month record;
  v_dropped pg_catalog.text[] := '{}';
  v_busy pg_catalog.text[] := '{}';
begin
  perform app.know_months();
  for v_month in
    select m.relation, m.name, m.starts, m.ends
    from app.event_months() m
    where m.ends <= (select max(r.closed_before) from app.retention r)
    order by m.starts
  loop
    exit when cardinality(v_dropped) >= p_max_months;
    continue when app.month_state(v_month.starts, v_month.ends) <> 'closed';
    begin
      lock table only public.metric_events in access exclusive mode;
      perform app.know_months();
      -- Looked at again now that nobody writes: an organization that keeps it may have come in between.
      if app.month_state(v_month.starts, v_month.ends) <> 'closed' then
        raise exception using errcode = 'object_in_use';
      end if;
      execute format('drop table %s', v_month.relation);
      v_dropped := v_dropped || v_month.name;
    exception when lock_not_available or object_in_use then
      v_busy := v_busy || v_month.name;
      exit; -- who holds one holds the parent, and so the others too
    end;
  end loop;
  return jsonb_build_object('dropped', v_dropped, 'busy', v_busy);
end
$$;

comment on function app.drop_months(integer) is 'Drops the partitions that no organization keeps any more';

reset role;
