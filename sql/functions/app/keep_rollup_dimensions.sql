-- Refuses to change the dimensions that the rollups of a metric are kept by, once there are rollups: what was added under one
-- key could not be taken away under another when an event is restated.
--
-- What counts is what an organization uses, its own definition or else the standard one: so its own may come and go where
-- both declare the same.

-- Security definer: who may change a definition need not have a right to the lock on all events.

set role tally_owner;

create or replace function app.keep_rollup_dimensions() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  c_none constant pg_catalog.jsonb := '[]';
  v_row constant public.metric_definitions := coalesce(new, old);
  v_standard constant pg_catalog.jsonb := (
    select coalesce(d.metadata -> 'rollup_dimensions', c_none)
    from public.metric_definitions d
    where d.org_id is null and d.key = v_row.key and v_row.org_id is not null
  );
  v_before constant pg_catalog.jsonb := coalesce(
    case when tg_op <> 'INSERT' then coalesce(old.metadata -> 'rollup_dimensions', c_none) end, v_standard, c_none
  );
  v_after constant pg_catalog.jsonb := coalesce(
    case when tg_op <> 'DELETE' then coalesce(new.metadata -> 'rollup_dimensions', c_none) end, v_standard, c_none
  );
begin
  -- Without a definition, app.roll_up goes by no dimensions; their order means nothing.
  if v_before @> v_after and v_after @> v_before then
    return null;
  end if;
  -- Waits for the batches under way, which read the definition after they took their lock: one organization's
  -- (app.closed_before), or all (app.ensure_months).
  if v_row.org_id is not null then
    perform pg_advisory_xact_lock(app.batch_lock(v_row.org_id));
  else
    lock table only public.metric_events in share mode;
  end if;
  if exists (
    select from public.organizations o -- gone already where its definitions go with it
    join public.stores s on s.org_id = o.id
    where (o.id = v_row.org_id
        or v_row.org_id is null and not exists (
          select from public.metric_definitions d where d.org_id = o.id and d.key = v_row.key
        ))
      and exists (
        select from public.metric_rollups r where r.org_id = o.id and r.store_id = s.id and r.metric_key = v_row.key
      )
  ) then
    raise exception using errcode = 'check_violation', message = format(
      'There are events of %s, so its rollup_dimensions stay %s; define a metric of another key.', v_row.key, v_before
    );
  end if;
  return null;
end
$$;

comment on function app.keep_rollup_dimensions() is
  'Refuses to change the dimensions that the rollups of a metric are kept by, once there are rollups';

create or replace trigger metric_definitions_keep_rollup_dimensions
  after insert or delete or update of metadata on public.metric_definitions
  for each row execute function app.keep_rollup_dimensions();

reset role;
