-- The tables that are compared with: like the events in everything but rollups and policies, and with the same rows. One for each
-- contestant, since all write the same keys.
create schema bench;

do $$
declare
  v_table text;
  v_partition record;
begin
  foreach v_table in array array['copied', 'inserted'] loop
    execute format('create table bench.%I (like public.metric_events including all) partition by range (recorded_at)', v_table);
    for v_partition in
      select replace(c.relname, 'metric_events', v_table) as name, pg_catalog.pg_get_expr(c.relpartbound, c.oid) as bound
      from pg_catalog.pg_inherits i
      join pg_catalog.pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'public.metric_events'::pg_catalog.regclass
    loop
      execute format('create table bench.%I (like public.metric_events including all)', v_partition.name);
      execute format('alter table bench.%I attach partition bench.%I %s', v_table, v_partition.name, v_partition.bound);
    end loop;
    execute format(
      'insert into bench.%I select * from public.metric_events order by org_id, store_id, source, event_id, recorded_at', v_table
    );
  end loop;
end
$$;
