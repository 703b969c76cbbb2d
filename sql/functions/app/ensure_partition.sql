-- Makes the partition of a month, if it is missing, and answers whether it did: created apart, then attached, so that
-- writers of other months go on.
--
-- There is no default partition: attaching would have to lock it against whoever reads all partitions.
--
-- Security definer: partitions belong to the owner of the parent, and no function role may create tables.
--
-- Errors: TH006 before 1970 or more than a year ahead.

set role tally_owner;

create or replace function app.ensure_partition(p_month date) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_from constant pg_catalog.date := date_trunc('month', p_month)::pg_catalog.date;
  v_to constant pg_catalog.date := (v_from + interval '1 month')::pg_catalog.date;
  v_name constant pg_catalog.text := 'partitions.metric_events_' || to_char(v_from, 'YYYYMM');
begin
  if to_regclass(v_name) is not null then
    return false;
  end if;
  if v_from < '1970-01-01'::pg_catalog.date or v_from > now() + interval '1 year' then
    raise exception using errcode = 'TH006', message = format('no partition for %s', v_from);
  end if;

  begin
    -- What attaching takes anyway, taken first: of two that make the same month one waits here. An advisory lock would not
    -- do, since only a lock on a table makes a session see what others did to the catalogue. Only the parent: the lock on
    -- each partition would wait for those that are being vacuumed.
    lock table only public.metric_events in share update exclusive mode;
    execute format('create table %s (like public.metric_events including all)', v_name);
  exception when duplicate_table then
    -- Made while this one waited. The lock is given back with what the block did: many may have waited, and must not go on
    -- one by one, each to the end of its transaction.
    return false;
  end;

  execute format('alter table %s enable row level security', v_name);
  execute format('alter table %s force row level security', v_name);
  execute format('comment on table %s is %L', v_name, 'metric_events of ' || to_char(v_from, 'YYYY-MM'));
  execute format(
    'alter table public.metric_events attach partition %s for values from (%L) to (%L)',
    v_name, v_from::pg_catalog.text || ' 00:00:00+00', v_to::pg_catalog.text || ' 00:00:00+00'
  );
  return true;
end
$$;

comment on function app.ensure_partition(date) is 'Makes the partition of a month, if it is missing; true when it made it';

reset role;
