-- GET /v1/events/quarantine: rejected events that are kept, newest first; how many the organization holds, and how many it may.
--
--   p_filter                  an object, see app.is_selected
--   p_after_time, p_after_id  where the page before ended; null for the first
--
-- A key that is tied to a store sees that store's only, and counts them only.
--
-- In the order of the index: the planner takes what is narrowed for so little that it would rather sort all there is.
--
-- Errors: TH001, TH002 from app.assume_authority; TH003 not allowed to write events.

set role tally_owner;

create or replace function api.list_quarantine(
  p_authority text, p_filter text, p_after_time text, p_after_id text, p_limit integer
) returns text
  language plpgsql volatile set search_path = '' set jit = off set plan_cache_mode = 'force_custom_plan' set enable_sort = off
as $$
declare
  v_org_id uuid;
begin
  perform app.assume_authority(p_authority);
  if not app.may_write_events() then
    raise exception using errcode = 'TH003', message = 'the role may not see rejected events';
  end if;

  v_org_id := app.org_id();
  return (
    with found as (
      select q.*, row_number() over (order by q.received_at desc, q.id desc) as position
      from public.quarantined_events q
      where q.org_id = v_org_id
        and (q.received_at, q.id) < (
          coalesce(p_after_time::timestamptz, 'infinity'), coalesce(p_after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        )
        and app.is_selected(q, p_filter::jsonb)
      order by q.received_at desc, q.id desc
      limit p_limit + 1
    )
    select jsonb_build_object(
      'events', coalesce(jsonb_agg(
        jsonb_build_object(
          'id', f.id,
          'received_at', app.utc_text(f.received_at),
          'times', f.times,
          'code', f.code,
          'detail', f.detail,
          'store_id', f.store_id,
          'source', f.source,
          'event_id', f.event_id,
          'metric', f.metric_key,
          'body', f.body,
          'replayable', f.event is not null
        ) order by f.position
      ) filter (where f.position <= p_limit), '[]'),
      'held', (select count(*) from public.quarantined_events q where q.org_id = v_org_id),
      'limit', app.quarantine_limit(),
      'next_cursor', case when count(*) > p_limit then
        max(app.page_end(f.received_at, f.id)) filter (where f.position = p_limit)
      end
    )::text
    from found f
  );
end
$$;

comment on function api.list_quarantine(text, text, text, text, integer) is 'GET /v1/events/quarantine';
grant execute on function api.list_quarantine(text, text, text, text, integer) to tally_ingest;

reset role;
