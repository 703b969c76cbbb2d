-- Judges events, inserts them, restates those that are there already if that is asked for, and rolls up: each event once,
-- however often it is sent.
--
-- What many events of a batch have in common comes once, as a series: store, source, metric, currency and dimensions. So stores
-- and definitions are looked up, and dimensions parsed, a few times and not for every event. Arrays of one length each; the
-- caller has checked that each value can be cast.
--
--   p_store_ids, p_external_ids, p_sources, p_metrics, p_currencies, p_dimensions   the series
--   p_series, p_ids, p_values, p_recorded_at                                        the events; a series counts from 1
--   p_on_conflict  what becomes of an event that is there already, by store, source, id and time: 'ignore' keeps the one
--                  that is there, 'replace' gives it the metric, value, currency and dimensions of the new one. Of two in
--                  one batch the first counts with 'ignore', the last with 'replace'.
--
-- Answers {"accepted", "duplicates", "replaced", "errors": [{"index", "code"}]}, index counting from 0 within the events;
-- every event is in one of the four. Codes: see app.explain_rejection.
--
-- At first it inserts without asking what is there: that takes a third less than `on conflict`, which looks each event up before
-- and again while it inserts. If one was there already, what was inserted until then is undone and all of them go the careful
-- way; a repeated batch meets its first event at once, so little is undone. What it costs most is a batch of new events with an
-- old one at their end: about two and a half times as much as without that.
--
-- Locks, always in this order, so that concurrent batches wait for each other and never deadlock: events, inserted in the
-- order of the key; events, restated in the order of the key; rollups, in the order of the key.
--
-- Errors: TH008 from app.ensure_months.

set role tally_owner;

create or replace function app.store_events(
  p_store_ids text[],
  p_external_ids text[],
  p_sources text[],
  p_metrics text[],
  p_currencies text[],
  p_dimensions text[],
  p_series integer[],
  p_ids text[],
  p_values text[],
  p_recorded_at timestamptz[],
  p_on_conflict text
) returns jsonb
  language plpgsql volatile set search_path = ''
as $$
declare
  v_open_from timestamptz;
  v_series app.event_series[];
  v_judged record;
  v_is_new boolean := p_on_conflict = 'ignore';
  v_inserted public.metric_events[];
  v_before public.metric_events[] := '{}';
  v_after public.metric_events[] := '{}';
begin
  -- In a statement of its own, before stores are read: it waits for who closes months or removes a store.
  v_open_from := greatest(app.closed_before(app.org_id()), '1970-01-01Z');
  -- Before the statement that needs them: a partition cannot come under a running insert. And before definitions are read: it waits
  -- for who changes the standard ones.
  perform app.ensure_months(app.months_of(p_recorded_at, v_open_from));
  v_series := app.event_series(p_store_ids, p_external_ids, p_sources, p_metrics, p_currencies, p_dimensions);

  if v_is_new then
    begin
      v_judged := app.judge_events(
        v_series, p_series, p_ids, p_values, p_recorded_at, v_open_from, p_on_conflict, true
      );
      perform app.roll_up(v_judged.p_parts, v_open_from);
    exception when unique_violation then
      v_is_new := false;
    end;
  end if;
  if v_is_new then
    return jsonb_build_object(
      'accepted', cardinality(p_ids) - jsonb_array_length(v_judged.p_errors), 'duplicates', 0, 'replaced', 0,
      'errors', v_judged.p_errors
    );
  end if;

  v_judged := app.judge_events(
    v_series, p_series, p_ids, p_values, p_recorded_at, v_open_from, p_on_conflict, false
  );
  v_inserted := app.insert_events(v_judged.p_events);
  if p_on_conflict = 'replace' and cardinality(v_inserted) < cardinality(v_judged.p_events) then
    select r.p_before, r.p_after into v_before, v_after from app.restate_events(v_judged.p_events) as r;
    perform app.record_changes('replaced', v_before, v_after);
  end if;
  perform app.roll_up(
    app.rollup_parts(v_inserted || v_after, 1) || app.rollup_parts(v_before, -1), v_open_from
  );
  return jsonb_build_object(
    'accepted', cardinality(v_inserted),
    'duplicates',
    cardinality(p_ids) - jsonb_array_length(v_judged.p_errors) - cardinality(v_inserted) - cardinality(v_after),
    'replaced', cardinality(v_after),
    'errors', v_judged.p_errors
  );
end
$$;

comment on function app.store_events(
  text[], text[], text[], text[], text[], text[], integer[], text[], text[], timestamptz[], text
) is 'Judges events, inserts or restates them, and rolls up';
grant execute on function app.store_events(
  text[], text[], text[], text[], text[], text[], integer[], text[], text[], timestamptz[], text
) to tally_ingest;

reset role;
