-- Ids of the quarantined events that a selection means, as far as the caller may see them: those that were never replayed first,
-- and then those whose last replay is longest ago.
--
--   p_selection   {"ids": [...]}, or {"filter": {...}} (app.is_selected), or {"all": true}; checked by the caller
--   p_replayable  whether those of bad form are left out, unless they are named: only sending them anew can help

set role tally_owner;

create or replace function app.selected_events(p_selection jsonb, p_replayable boolean) returns uuid[]
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
  v_filter constant jsonb := coalesce(p_selection -> 'filter', '{}');
  v_ids constant uuid[] := case when p_selection ? 'ids' then
    array(select e.id::uuid from jsonb_array_elements_text(p_selection -> 'ids') as e(id))
  end;
begin
  return array(
    select q.id
    from public.quarantined_events q
    where q.org_id = app.org_id()
      and case when v_ids is null then q.event is not null or not p_replayable else q.id = any (v_ids) end
      and app.is_selected(q, v_filter)
    order by q.replayed_at nulls first, q.received_at, q.id
  );
end
$$;

comment on function app.selected_events(jsonb, boolean) is 'Ids of the quarantined events that a selection means';
grant execute on function app.selected_events(jsonb, boolean) to tally_ingest;

reset role;
