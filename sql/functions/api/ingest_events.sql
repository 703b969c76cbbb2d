-- POST /v1/events: authorise, judge, insert, restate, roll up, quarantine, count; all or nothing, and once for each event however
-- often it is sent.
--
--   p_store_ids to p_recorded_at, p_on_conflict   the events of good form, see app.store_events; ids and values one a
--                line, times in microseconds since 1970
--   p_rejected   events of bad form as app.quarantine_events takes them, but for "body"
--   p_body, p_lengths   the texts of the former and then of the latter, one behind the other, and how long each is, bytes, one a
--                line: what is rejected is kept as it was sent
--   p_dry_run    the same answer, and nothing is stored
--
-- Answers {"accepted", "duplicates", "replaced", "errors": [{"index", "code", "detail", "quarantine_id"}], "rejected_ids",
-- "quarantined", "quarantine_full", "limits"}: index counting from 0 within the events, rejected_ids the ids that p_rejected got,
-- null for what is not kept. Or {"limited", "limits"}, see app.take_events; then nothing is stored.
--
-- Errors: TH001, TH002 from app.assume_authority; TH003 not allowed to write events; TH008 from app.ensure_months.

set role tally_owner;

create or replace function api.ingest_events(
  p_authority text,
  p_store_ids text[],
  p_external_ids text[],
  p_sources text[],
  p_metrics text[],
  p_currencies text[],
  p_dimensions text[],
  p_series integer[],
  p_ids text,
  p_values text,
  p_recorded_at bigint[],
  p_body bytea,
  p_lengths text,
  p_rejected text,
  p_on_conflict text,
  p_dry_run boolean
) returns text
  language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  v_ids constant text[] := string_to_array(p_ids, E'\n');
  v_values constant text[] := string_to_array(p_values, E'\n');
  v_recorded_at constant timestamptz[] := array(
    select
      case
        -- Up to 2^32 seconds a double precision number tells each microsecond.
        when u.microseconds between 0 and 4294967296000000 then to_timestamp(u.microseconds / 1000000::double precision)
        -- Beyond, it does so in two parts.
        else
          timestamptz 'epoch' + (u.microseconds / 1000000) * interval '1 second'
          + (u.microseconds % 1000000) * interval '1 microsecond'
      end
    from (select unnest(p_recorded_at) as microseconds) as u
  );
  v_rejected jsonb := p_rejected::jsonb;
  v_sent constant bigint := cardinality(v_ids) + jsonb_array_length(v_rejected);
  v_taken jsonb;
  v_errors jsonb;
  v_kept uuid[] := '{}';
  v_lengths integer[];
  v_starts integer[];
  v_refused integer;
begin
  perform app.assume_authority(p_authority);
  if not app.may_write_events() then
    raise exception using errcode = 'TH003', message = 'the role may not write events';
  end if;

  v_taken := app.take_events(
    p_store_ids, p_external_ids, p_sources, p_metrics, p_currencies, p_dimensions, p_series, v_ids, v_values,
    v_recorded_at, p_on_conflict, p_dry_run, greatest(v_sent, 1)
  );
  if v_taken ? 'limited' then
    return v_taken::text;
  end if;

  v_refused := jsonb_array_length(v_taken -> 'errors');
  if v_refused + jsonb_array_length(v_rejected) > 0 and not p_dry_run then
    -- Read only here, as most batches have nothing rejected.
    v_lengths := string_to_array(p_lengths, E'\n');
    v_starts := array(
      select sum(u.length) over (order by u.position) - u.length
      from unnest(v_lengths) with ordinality as u(length, position)
      order by u.position
    );
    v_rejected := (
      select coalesce(jsonb_agg(app.refused_event(
        p_store_ids[u.series], p_external_ids[u.series], p_sources[u.series], p_metrics[u.series], p_currencies[u.series],
        p_dimensions[u.series], u.id, u.value, app.utc_text(u.recorded_at),
        convert_from(substring(p_body from u.start + 1 for u.length), 'UTF8'), e.error ->> 'code'
      ) order by e.position), '[]')
      from jsonb_array_elements(v_taken -> 'errors') with ordinality as e(error, position)
      join unnest(p_series, v_ids, v_values, v_recorded_at, v_starts, v_lengths) with ordinality
        as u(series, id, value, recorded_at, start, length, position) on u.position = (e.error ->> 'index')::integer + 1
    ) || (
      select coalesce(jsonb_agg(
        r.event || jsonb_build_object('body', convert_from(substring(p_body from u.start + 1 for u.length), 'UTF8'))
        order by r.position
      ), '[]')
      from jsonb_array_elements(v_rejected) with ordinality as r(event, position)
      join unnest(v_starts, v_lengths) with ordinality as u(start, length, position)
        on u.position = cardinality(v_ids) + r.position
    );
    v_kept := app.quarantine_events(v_rejected);
  end if;

  v_errors := (
    select coalesce(jsonb_agg(
      e.error || jsonb_build_object(
        'detail', app.explain_rejection(e.error ->> 'code'), 'quarantine_id', v_kept[e.position]
      ) order by e.position
    ), '[]')
    from jsonb_array_elements(v_taken -> 'errors') with ordinality as e(error, position)
  );
  return (v_taken || jsonb_build_object(
    'errors', v_errors,
    'rejected_ids', to_jsonb(v_kept[v_refused + 1 :]),
    'quarantined', cardinality(array_remove(v_kept, null)),
    'quarantine_full', array_position(v_kept, null) is not null
  ))::text;
end
$$;

comment on function api.ingest_events(
  text, text[], text[], text[], text[], text[], text[], integer[], text, text, bigint[], bytea, text, text, text,
  boolean
) is 'POST /v1/events';
grant execute on function api.ingest_events(
  text, text[], text[], text[], text[], text[], text[], integer[], text, text, bigint[], bytea, text, text, text,
  boolean
) to tally_ingest;

reset role;
