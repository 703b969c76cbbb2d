-- Makes the partitions of the months that a batch needs and that are missing; at most 36, since each takes locks that others
-- wait for. What is there at the end of it is there until the end of the transaction.
--
-- Security definer: partitions belong to the owner of the parent, and no function role may create tables.
--
-- Errors: TH008 more months are missing; those of app.ensure_partition.

set role tally_owner;

create or replace function app.ensure_months(p_months date[]) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  c_max_missing constant integer := 36;
  v_missing pg_catalog.date[];
  v_month pg_catalog.date;
begin
  -- The lock of the insert that is to come, taken before the look: a month cannot be dropped in between (app.drop_months).
  lock table only public.metric_events in row exclusive mode;

  v_missing := array(
    select m.month
    from unnest(p_months) as m(month)
    where to_regclass('partitions.metric_events_' || to_char(m.month, 'YYYYMM')) is null
    order by m.month
  );
  -- A lock of another kind makes the session see what others did to the catalogue up to here. Otherwise the insert, whose lock
  -- is held already, would not know of a month that was attached since, and find no place for its rows.
  lock table only public.metric_events in access share mode;

  if cardinality(v_missing) > c_max_missing then
    raise exception using errcode = 'TH008', message = format(
      'The batch has events of %s months that nothing was recorded in before; send at most %s such months at once.',
      cardinality(v_missing), c_max_missing
    );
  end if;
  foreach v_month in array v_missing loop
    perform app.ensure_partition(v_month);
  end loop;
  perform app.know_months();
end
$$;

comment on function app.ensure_months(date[]) is 'Makes the partitions of months that are missing, a bounded number of them';
grant execute on function app.ensure_months(date[]) to tally_ingest;

reset role;
