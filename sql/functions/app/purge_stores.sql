-- Deletes the events and rollups of deleted stores, a bounded number of rows, and then the record of the deletion.
--
-- Answers {"stores", "events", "rollups", "more"}: how many stores nothing is left of, how many rows it deleted, whether
-- there may be more.

set role tally_owner;

create or replace function app.purge_stores(p_max_rows integer, p_max_stores integer) returns jsonb
  language plpgsql volatile set search_path = ''
as $$
declare
  v_store record;
  v_month record;
  v_left integer := p_max_rows;
  v_deleted integer;
  v_stores integer := 0;
  v_rollups integer := 0;
begin
  for v_store in
    select s.org_id, s.store_id
    from app.deleted_stores s
    where s.closed_at is not null
    order by s.deleted_at, s.org_id, s.store_id
    limit p_max_stores
  loop
    exit when v_left <= 0;
    for v_month in select m.starts, m.ends from app.event_months() m order by m.starts loop
      v_left := v_left - app.delete_events(v_month.starts, v_month.ends, v_store.org_id, v_store.store_id, v_left);
      exit when v_left <= 0;
    end loop;
    exit when v_left <= 0;

    delete from public.metric_rollups
    where ctid = any (array(
      select r.ctid from public.metric_rollups r where r.org_id = v_store.org_id and r.store_id = v_store.store_id limit v_left
    ));
    get diagnostics v_deleted = row_count;
    v_rollups := v_rollups + v_deleted;
    v_left := v_left - v_deleted;
    exit when v_left <= 0;

    delete from app.deleted_stores where org_id = v_store.org_id and store_id = v_store.store_id;
    v_stores := v_stores + 1;
  end loop;
  return jsonb_build_object(
    'stores', v_stores,
    'events', p_max_rows - v_left - v_rollups,
    'rollups', v_rollups,
    'more', v_left <= 0 or v_stores >= p_max_stores
  );
end
$$;

comment on function app.purge_stores(integer, integer) is 'Deletes a bounded number of rows of deleted stores';

reset role;
