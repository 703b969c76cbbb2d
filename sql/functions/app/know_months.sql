-- Makes sure that this session knows all partitions of metric_events that were there when the statement began. Whatever goes to
-- metric_events for the sake of an answer calls this before, in a statement of its own.
--
-- A session keeps in mind which partitions a table has, and forgets it when it hears of another one. What it is just finding out as a
-- partition is attached can lack that one, and stays so until it hears of the next (PostgreSQL 15, RelationGetPartitionDesc): events
-- that were acknowledged would be missing. So it is made to forget whenever the catalogue has other partitions than at the last time.

set role tally_owner;

create or replace function app.know_months() returns void
  language plpgsql volatile set search_path = ''
as $$
declare
  v_known constant pg_catalog.text := (
    select count(*) || ' ' || coalesce(max(i.inhrelid), 0)
    from pg_catalog.pg_inherits i
    where i.inhparent = 'public.metric_events'::pg_catalog.regclass
  );
begin
  if current_setting('tally.known_months', true) is distinct from v_known then
    perform app.forget_months();
    perform set_config('tally.known_months', v_known, false);
  end if;
end
$$;

comment on function app.know_months() is 'Makes sure that this session knows all partitions of metric_events';
grant execute on function app.know_months() to tally_ingest, tally_query, service_role;

reset role;
