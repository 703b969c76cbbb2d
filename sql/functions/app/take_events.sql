-- Stores events within the limits of the plan, and counts them: app.store_events has the parameters and the answer. To that it
-- adds
--
--   limits   of the plan, what was sent with this batch included, for those that there are:
--            {"minute": {"quota", "window", "used", "resets_in"}, "month": {...}}, times in seconds
--   limited  'minute' or 'month' where the batch is over that limit; then nothing of it is stored
--
--   p_sent     events the minute counts, whatever becomes of them; 1 for an empty batch
--   p_dry_run  the answer is the same, and nothing is stored
--
-- What is not to be stored is stored and undone, so that the answer is the same because the work is. Only new events count for
-- the month, so a batch that is repeated is never over it.

set role tally_owner;

create or replace function app.take_events(
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
  p_on_conflict text,
  p_dry_run boolean,
  p_sent bigint
) returns jsonb
  language plpgsql volatile set search_path = ''
as $$
declare
  v_limits constant record := app.ingest_limits();
  v_month_left constant bigint := v_limits.month_quota - v_limits.month_used;
  v_stored jsonb;
  v_taken bigint;
  v_limited text;
begin
  if v_limits.minute_used + p_sent > v_limits.minute_quota then
    return jsonb_build_object(
      'limited', 'minute',
      'limits', app.limits_report(
        v_limits.minute_quota, v_limits.minute_used, v_limits.month_quota, v_limits.month_used
      )
    );
  end if;

  if p_dry_run or v_month_left < cardinality(p_ids) then
    begin
      v_stored := app.store_events(
        p_store_ids, p_external_ids, p_sources, p_metrics, p_currencies, p_dimensions, p_series, p_ids, p_values,
        p_recorded_at, p_on_conflict
      );
      v_limited := case when (v_stored ->> 'accepted')::bigint > v_month_left then 'month' end;
      if p_dry_run or v_limited is not null then
        raise exception using errcode = 'TH016', message = 'undone on purpose';
      end if;
    exception when sqlstate 'TH016' then
      null;
    end;
  else
    v_stored := app.store_events(
      p_store_ids, p_external_ids, p_sources, p_metrics, p_currencies, p_dimensions, p_series, p_ids, p_values,
      p_recorded_at, p_on_conflict
    );
  end if;

  v_taken := case when p_dry_run or v_limited is not null then 0 else (v_stored ->> 'accepted')::bigint end;
  perform app.charge_ingestion(p_sent, v_taken);
  return
    case when v_limited is null then v_stored else jsonb_build_object('limited', v_limited) end
    || jsonb_build_object(
      'limits', app.limits_report(
        v_limits.minute_quota, v_limits.minute_used + p_sent, v_limits.month_quota, v_limits.month_used + v_taken
      )
    );
end
$$;

comment on function app.take_events(
  text[], text[], text[], text[], text[], text[], integer[], text[], text[], timestamptz[], text, boolean, bigint
) is 'Stores events within the limits of the plan, and counts them';
grant execute on function app.take_events(
  text[], text[], text[], text[], text[], text[], integer[], text[], text[], timestamptz[], text, boolean, bigint
) to tally_ingest;

reset role;
