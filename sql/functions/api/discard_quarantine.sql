-- POST /v1/events/quarantine/discard: forgets rejected events, up to 5,000 of those that the selection means (app.selected_events).
--
-- Answers {"discarded", "remaining"}: how many were forgotten, and how many that were meant are left.
--
-- Errors: TH001, TH002 from app.assume_authority; TH003 not allowed to write events.

set role tally_owner;

create or replace function api.discard_quarantine(p_authority text, p_selection text) returns text
  language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  c_most constant integer := 5000;
  v_ids uuid[];
begin
  perform app.assume_authority(p_authority);
  if not app.may_write_events() then
    raise exception using errcode = 'TH003', message = 'the role may not discard events';
  end if;

  perform pg_advisory_xact_lock(app.quarantine_lock(app.org_id()));
  v_ids := app.selected_events(p_selection::jsonb, false);
  delete from public.quarantined_events q where q.org_id = app.org_id() and q.id = any (v_ids[: c_most]);
  return jsonb_build_object(
    'discarded', least(cardinality(v_ids), c_most), 'remaining', greatest(cardinality(v_ids) - c_most, 0)
  )::text;
end
$$;

comment on function api.discard_quarantine(text, text) is 'POST /v1/events/quarantine/discard';
grant execute on function api.discard_quarantine(text, text) to tally_ingest;

reset role;
