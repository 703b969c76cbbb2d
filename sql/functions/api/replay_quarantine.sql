-- POST /v1/events/quarantine/replay: judges rejected events again, up to 1,000 of those that the selection means
-- (app.selected_events). What is counted now, or was before, leaves the quarantine; what is rejected again stays, with its newest
-- reason.
--
-- Answers {"accepted", "duplicates", "replaced", "errors": [{"quarantine_id", "id", "code", "detail"}], "remaining", "limits"}:
-- remaining is how many that were meant were not tried. Or {"limited", "limits"}, see app.take_events.
--
-- Two replays of one event at once do no harm: an event counts once. The quarantine is locked after events and rollups, as by
-- everybody.
--
-- Errors: TH001, TH002 from app.assume_authority; TH003 not allowed to write events; TH008 from app.ensure_months.

set role tally_owner;

create or replace function api.replay_quarantine(
  p_authority text, p_selection text, p_on_conflict text, p_dry_run boolean
) returns text
  language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  c_most constant integer := 1000;
  v_org_id uuid;
  v_selected uuid[];
  v_tried uuid[];
  v_events jsonb[];
  v_taken jsonb;
  v_errors jsonb;
begin
  perform app.assume_authority(p_authority);
  if not app.may_write_events() then
    raise exception using errcode = 'TH003', message = 'the role may not replay events';
  end if;

  v_org_id := app.org_id();
  v_selected := app.selected_events(p_selection::jsonb, true);
  select coalesce(array_agg(q.id order by q.received_at, q.id), '{}'), coalesce(array_agg(q.event order by q.received_at, q.id), '{}')
  into v_tried, v_events
  from public.quarantined_events q
  where q.org_id = v_org_id and q.id = any (v_selected[: c_most]) and q.event is not null;

  -- Few have something in common with another: each is a series of its own.
  v_taken := app.take_events(
    array(select e ->> 'store_id' from unnest(v_events) as e),
    array(select e ->> 'external_id' from unnest(v_events) as e),
    array(select e ->> 'source' from unnest(v_events) as e),
    array(select e ->> 'metric' from unnest(v_events) as e),
    array(select e ->> 'currency' from unnest(v_events) as e),
    array(select e ->> 'dimensions' from unnest(v_events) as e),
    array(select generate_subscripts(v_events, 1)),
    array(select e ->> 'id' from unnest(v_events) as e),
    array(select e ->> 'value' from unnest(v_events) as e),
    array(select (e ->> 'recorded_at')::timestamptz from unnest(v_events) as e),
    p_on_conflict, p_dry_run, greatest(cardinality(v_events), 1)
  );
  if v_taken ? 'limited' then
    return v_taken::text;
  end if;

  v_errors := (
    select coalesce(jsonb_agg(
      jsonb_build_object(
        'quarantine_id', q.id, 'id', q.event_id, 'code', coalesce(e.error ->> 'code', q.code),
        'detail', coalesce(app.explain_rejection(e.error ->> 'code'), q.detail)
      ) order by q.received_at, q.id
    ), '[]')
    from public.quarantined_events q
    left join jsonb_array_elements(v_taken -> 'errors') as e(error) on v_tried[(e.error ->> 'index')::integer + 1] = q.id
    where q.org_id = v_org_id and q.id = any (v_selected[: c_most]) and (e.error is not null or q.event is null)
  );
  if not p_dry_run then
    perform app.settle_quarantine(v_tried, v_errors);
  end if;
  return (v_taken || jsonb_build_object(
    'errors', v_errors, 'remaining', greatest(cardinality(v_selected) - c_most, 0)
  ))::text;
end
$$;

comment on function api.replay_quarantine(text, text, text, boolean) is 'POST /v1/events/quarantine/replay';
grant execute on function api.replay_quarantine(text, text, text, boolean) to tally_ingest;

reset role;
