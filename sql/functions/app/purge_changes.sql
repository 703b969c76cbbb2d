-- Deletes the record of changes that were made before an organization's open months, a bounded number of them: it is kept as
-- long as raw events of its time. Answers how many.

set role tally_owner;

create or replace function app.purge_changes(p_max_rows integer) returns integer
  language plpgsql volatile set search_path = ''
as $$
declare
  v_deleted integer;
begin
  delete from public.event_changes
  where ctid = any (array(
    select c.ctid
    from app.retention r
    join public.event_changes c on c.org_id = r.org_id and c.changed_at < r.closed_before
    limit p_max_rows
  ));
  get diagnostics v_deleted = row_count;
  return v_deleted;
end
$$;

comment on function app.purge_changes(integer) is 'Deletes a bounded number of records of changes made before the open months';

reset role;
