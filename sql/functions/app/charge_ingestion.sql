-- Counts what the organization of the request has sent and what was taken of it. After the events and the rollups, before the
-- quarantine; and in a slot that few sessions share, so that batches of one organization do not wait for each other's end.
--
-- A batch that began in an earlier minute than the slot's counts for the slot's.
--
-- Security definer: the counts are not the tenants' to write.

set role tally_owner;

create or replace function app.charge_ingestion(p_sent bigint, p_taken bigint) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if not app.may_write_events() then
    raise exception using errcode = 'TH003', message = 'the role may not write events';
  end if;
  insert into app.ingest_usage as u (org_id, slot, minute, minute_events, month, month_events)
  values (
    app.org_id(), pg_backend_pid() % 16, date_trunc('minute', now()), p_sent, app.utc_month(now()), p_taken
  )
  on conflict (org_id, slot) do update
  set minute = greatest(u.minute, excluded.minute),
      minute_events = case when u.minute >= excluded.minute then u.minute_events else 0 end + excluded.minute_events,
      month = greatest(u.month, excluded.month),
      month_events = case when u.month >= excluded.month then u.month_events else 0 end + excluded.month_events;
end
$$;

comment on function app.charge_ingestion(bigint, bigint) is 'Counts what the organization has sent and what was taken of it';
grant execute on function app.charge_ingestion(bigint, bigint) to tally_ingest;

reset role;
