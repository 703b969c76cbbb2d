-- GET /v1/events/changes: what was replaced or deleted after it had been counted, newest first. Each parameter narrows; null for
-- any. p_after_time and p_after_id say
-- where the page before ended; null for the first.
--
-- In the order of the index: the planner takes what is narrowed for so little that it would rather sort all there is.
--
-- Errors: TH001, TH002 from app.assume_authority; TH003 not allowed to write events.

set role tally_owner;

create or replace function api.list_event_changes(
  p_authority text,
  p_action text,
  p_store_id text,
  p_source text,
  p_event_id text,
  p_from text,
  p_to text,
  p_after_time text,
  p_after_id text,
  p_limit integer
) returns text
  language plpgsql volatile set search_path = '' set jit = off set plan_cache_mode = 'force_custom_plan' set enable_sort = off
as $$
declare
  v_org_id uuid;
begin
  perform app.assume_authority(p_authority);
  if not app.may_write_events() then
    raise exception using errcode = 'TH003', message = 'the role may not see what was changed';
  end if;

  v_org_id := app.org_id();
  return (
    with found as (
      select c.*, row_number() over (order by c.changed_at desc, c.id desc) as position
      from public.event_changes c
      where c.org_id = v_org_id
        and (p_action is null or c.action = p_action)
        and (p_store_id is null or c.store_id = p_store_id::uuid)
        and (p_source is null or c.source = p_source)
        and (p_event_id is null or c.event_id = p_event_id)
        and (p_from is null or c.changed_at >= p_from::timestamptz)
        and (p_to is null or c.changed_at < p_to::timestamptz)
        and (c.changed_at, c.id) < (
          coalesce(p_after_time::timestamptz, 'infinity'), coalesce(p_after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        )
      order by c.changed_at desc, c.id desc
      limit p_limit + 1
    )
    select jsonb_build_object(
      'changes', coalesce(jsonb_agg(
        jsonb_build_object(
          'id', f.id,
          'changed_at', app.utc_text(f.changed_at),
          'action', f.action,
          'changed_by', jsonb_strip_nulls(jsonb_build_object('user_id', f.user_id, 'api_key_id', f.api_key_id)),
          'store_id', f.store_id,
          'source', f.source,
          'event_id', f.event_id,
          'recorded_at', app.utc_text(f.recorded_at),
          'before', f.before,
          'after', f.after
        ) order by f.position
      ) filter (where f.position <= p_limit), '[]'),
      'next_cursor', case when count(*) > p_limit then
        max(app.page_end(f.changed_at, f.id)) filter (where f.position = p_limit)
      end
    )::text
    from found f
  );
end
$$;

comment on function api.list_event_changes(text, text, text, text, text, text, text, text, text, integer) is
  'GET /v1/events/changes';
grant execute on function api.list_event_changes(text, text, text, text, text, text, text, text, text, integer)
  to tally_ingest;

reset role;
