-- After a replay: removes what was counted, and gives what was rejected again its newest reason.
--
--   p_ids     the events that were tried
--   p_errors  [{"quarantine_id", "code", "detail"}] of those that were rejected, and of those of bad form, which need not be tried:
--             they were replayed too, or they would be the first to be selected for ever

set role tally_owner;

create or replace function app.settle_quarantine(p_ids uuid[], p_errors jsonb) returns void
  language plpgsql volatile set search_path = ''
as $$
declare
  v_org_id constant uuid := app.org_id();
  -- By which rows are found, whatever a plan takes the errors for.
  v_rejected constant uuid[] := array(
    select (e.error ->> 'quarantine_id')::uuid from jsonb_array_elements(p_errors) as e(error)
  );
begin
  perform pg_advisory_xact_lock(app.quarantine_lock(v_org_id));
  update public.quarantined_events q
  set code = e.error ->> 'code', detail = e.error ->> 'detail', replayed_at = now()
  from jsonb_array_elements(p_errors) as e(error)
  where q.org_id = v_org_id and q.id = any (v_rejected) and q.id = (e.error ->> 'quarantine_id')::uuid;
  delete from public.quarantined_events q
  where q.org_id = v_org_id and q.id = any (p_ids) and q.id <> all (v_rejected);
end
$$;

comment on function app.settle_quarantine(uuid[], jsonb) is
  'Removes what a replay counted, and gives what it rejected its newest reason';
grant execute on function app.settle_quarantine(uuid[], jsonb) to tally_ingest;

reset role;
