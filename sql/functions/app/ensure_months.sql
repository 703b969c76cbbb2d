-- Makes the partitions of the months that a batch needs and that are missing; at most 36, since each takes locks that others
-- wait for.
--
-- Security definer: partitions belong to the owner of the parent, and no function role may create tables.
--
-- Errors: TH008 more months are missing.

set role tally_owner;

create or replace function app.ensure_months(p_months date[]) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  c_max_missing constant integer := 36;
  v_missing constant pg_catalog.date[] := (
    select coalesce(array_agg(m.month order by m.month), '{}')
    from unnest(p_months) as m(month)
    where to_regclass('partitions.metric_events_' || to_char(m.month, 'YYYYMM')) is null
  );
  v_month pg_catalog.date;
begin
  if cardinality(v_missing) > c_max_missing then
    raise exception using errcode = 'TH008', message = format(
      'The batch has events of %s months that nothing was recorded in before; send at most %s such months at once.',
      cardinality(v_missing), c_max_missing
    );
  end if;
  foreach v_month in array v_missing loop
    perform app.ensure_partition(v_month);
  end loop;
end
$$;

comment on function app.ensure_months(date[]) is 'Makes the partitions of months that are missing, a bounded number of them';
grant execute on function app.ensure_months(date[]) to tally_ingest;

reset role;
