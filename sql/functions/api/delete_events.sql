-- POST /v1/events/delete: takes events back that should not have been sent; rollups follow, and each deletion is recorded.
--
--   p_store_ids, p_sources, p_ids   which ones, of one length
--   p_recorded_at   narrows; where it is null, every event of that store, source and id is meant that is in an open month
--   p_malformed      how many further entries were refused for their form: they count for the minute
--   p_dry_run       the same answer, and nothing is deleted
--
-- Answers {"deleted", "not_found", "errors": [{"index", "code", "detail"}], "limits"}: how many events were deleted, how many
-- entries named none, and which entries were refused (store_required, unknown_store, out_of_range). Or {"limited", "limits"}, as
-- app.take_events does.
--
-- Locks in the order of api.ingest_events.
--
-- Errors: TH001, TH002 from app.assume_authority; TH003 not allowed to write events; TH022 from app.named_times.

set role tally_owner;

create or replace function api.delete_events(
  p_authority text, p_store_ids text[], p_sources text[], p_ids text[], p_recorded_at text[], p_malformed bigint,
  p_dry_run boolean
) returns text
  language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  v_sent constant bigint := cardinality(p_ids) + p_malformed;
  v_limits record;
  v_report jsonb;
  v_errors jsonb;
  v_deleted public.metric_events[];
  v_not_found integer;
begin
  perform app.assume_authority(p_authority);
  if not app.may_write_events() then
    raise exception using errcode = 'TH003', message = 'the role may not write events';
  end if;
  v_limits := app.ingest_limits();
  if v_limits.minute_used + v_sent > v_limits.minute_quota then
    v_report := app.limits_report(
      v_limits.minute_quota, v_limits.minute_used, v_limits.month_quota, v_limits.month_used
    );
    return jsonb_build_object('limited', 'minute', 'limits', v_report)::text;
  end if;

  begin
    select r.p_errors, r.p_deleted, r.p_not_found
    into v_errors, v_deleted, v_not_found
    from app.remove_events(p_store_ids, p_sources, p_ids, p_recorded_at) as r;
    if p_dry_run then
      raise exception using errcode = 'TH016', message = 'undone on purpose';
    end if;
  exception when sqlstate 'TH016' then
    null;
  end;

  perform app.charge_ingestion(v_sent, 0);
  return jsonb_build_object(
    'deleted', cardinality(v_deleted),
    'not_found', v_not_found,
    'errors', v_errors,
    'limits', app.limits_report(
      v_limits.minute_quota, v_limits.minute_used + v_sent, v_limits.month_quota, v_limits.month_used
    )
  )::text;
end
$$;

comment on function api.delete_events(text, text[], text[], text[], text[], bigint, boolean) is 'POST /v1/events/delete';
grant execute on function api.delete_events(text, text[], text[], text[], text[], bigint, boolean) to tally_ingest;

reset role;
