-- Deletes events of an organization, or of one store of it, in one month, a bounded number of them. Answers how many.
--
-- The bounds of the month are literals, so that planning leaves all other partitions out: none of them is locked, and a ctid
-- means one row only. Nothing else is asked of the rows to be deleted, or they would be looked for by it and compared with
-- each ctid. In the order of the key, whose index can stop at the limit.
--
-- No order of locks is kept with ingestion, since it writes none of these rows any more: the month is closed, or the store
-- is gone.

set role tally_owner;

create or replace function app.delete_events(
  p_starts timestamptz, p_ends timestamptz, p_org_id uuid, p_store_id uuid, p_max_rows integer
) returns integer
  language plpgsql volatile set search_path = ''
as $$
declare
  v_deleted integer;
begin
  execute format(
    $statement$
      delete from public.metric_events
      where recorded_at >= %1$L and recorded_at < %2$L
        and ctid = any (array(
          select e.ctid
          from public.metric_events e
          where e.recorded_at >= %1$L and e.recorded_at < %2$L and e.org_id = %3$L
            and (%4$L::pg_catalog.uuid is null or e.store_id = %4$L)
          order by e.org_id, e.store_id, e.source, e.event_id, e.recorded_at
          limit %5$s
        ))
    $statement$,
    p_starts, p_ends, p_org_id, p_store_id, p_max_rows
  );
  get diagnostics v_deleted = row_count;
  return v_deleted;
end
$$;

comment on function app.delete_events(timestamptz, timestamptz, uuid, uuid, integer) is
  'Deletes a bounded number of events of an organization or a store in one month';

reset role;
