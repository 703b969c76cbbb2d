-- Rebuilds rollups whose dimensions changed, of a bounded number of metrics of a store and from a bounded number of events in all.
--
-- The locks stay until the end of the transaction and hold up the batches of those organizations, so this comes last in it. It
-- leaves out an organization that has a batch under way. Only where all have, it waits for one (as app.close_organizations does).
--
-- Answers {"rebuilt", "busy", "again"}: of how many metrics of a store the last piece was rebuilt, how many it left out, and whether it
-- came further at all.

set role tally_owner;

create or replace function app.rebuild_rollups(p_max_stores integer, p_max_events integer) returns jsonb
  language plpgsql volatile set search_path = ''
as $$
declare
  v_rebuild record;
  v_waiting record;
  v_piece record;
  v_left bigint := p_max_events;
  v_pieces integer := 0;
  v_rebuilt integer := 0;
  v_busy integer := 0;
begin
  for v_rebuild in
    select r.org_id, r.store_id, r.metric_key from app.rollup_rebuilds r order by random() limit p_max_stores
  loop
    v_piece := app.rebuild_store_rollups(v_rebuild.org_id, v_rebuild.store_id, v_rebuild.metric_key, v_left, false);
    if v_piece.p_events is null then
      v_busy := v_busy + 1;
      v_waiting := v_rebuild;
    else
      v_pieces := v_pieces + 1;
      v_rebuilt := v_rebuilt + v_piece.p_is_last::integer;
      v_left := v_left - v_piece.p_events;
    end if;
    exit when v_left <= 0;
  end loop;

  if v_pieces = 0 and v_busy > 0 then
    v_piece := app.rebuild_store_rollups(v_waiting.org_id, v_waiting.store_id, v_waiting.metric_key, v_left, true);
    if v_piece.p_events is not null then
      v_pieces := 1;
      v_rebuilt := v_piece.p_is_last::integer;
      v_busy := v_busy - 1;
    end if;
  end if;
  return jsonb_build_object('rebuilt', v_rebuilt, 'busy', v_busy, 'again', v_pieces > 0);
end
$$;

comment on function app.rebuild_rollups(integer, integer) is
  'Rebuilds rollups whose dimensions changed: a bounded amount of work';

reset role;
