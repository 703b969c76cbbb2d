-- Follows a change of a definition where there are events: has rollups rebuilt whose dimensions change (app.rebuild_rollups), and
-- refuses to make of events that are money such that are none, the other way round, or a derived metric or none at all (constraint
-- metric_definitions_events).
--
-- What counts is what an organization uses, its own definition or else the standard one: so its own may come and go where
-- both are alike.
--
-- Security definer: who may change a definition need not have a right to the lock on all events.

set role tally_owner;

create or replace function app.follow_metric_definition() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  -- A definition keeps its organization and its key (app.keep_identity).
  v_row constant public.metric_definitions := coalesce(new, old);
  v_org_id constant pg_catalog.uuid := v_row.org_id;
  v_key constant pg_catalog.text := v_row.key;
  v_standard public.metric_definitions;
  v_before public.metric_definitions;
  v_after public.metric_definitions;
  v_is_alike boolean;
  -- Without a definition, app.roll_up goes by no dimensions; their order means nothing.
  v_names_before pg_catalog.text[];
  v_names_after pg_catalog.text[];
  v_is_rolled_up_alike boolean;
begin
  select d.* into v_standard
  from public.metric_definitions d
  where d.org_id is null and d.key = v_key and v_org_id is not null;
  v_before := case tg_op when 'INSERT' then v_standard else old end;
  v_after := case tg_op when 'DELETE' then v_standard else new end;
  v_is_alike := app.metric_nature(v_before) is not distinct from app.metric_nature(v_after);
  v_names_before := array(select jsonb_array_elements_text(v_before.metadata -> 'rollup_dimensions'));
  v_names_after := array(select jsonb_array_elements_text(v_after.metadata -> 'rollup_dimensions'));
  v_is_rolled_up_alike := v_names_before @> v_names_after and v_names_after @> v_names_before;
  if v_is_alike and v_is_rolled_up_alike then
    return null;
  end if;

  -- Waits for the batches under way, which read the definition after they took their lock: one organization's
  -- (app.closed_before), or all (app.ensure_months). Nor are months closed meanwhile (app.close_organization).
  if v_org_id is not null then
    perform pg_advisory_xact_lock(app.batch_lock(v_org_id));
  else
    lock table only public.metric_events in share mode;
  end if;
  if not v_is_alike and app.metric_nature(v_before) <> 'derived'
    and exists (select from app.rolled_up_stores(v_org_id, v_key))
  then
    raise exception using errcode = 'check_violation', constraint = 'metric_definitions_events', message = format(
      'There are events of %s, so it stays a metric with events that are %s.',
      v_key, case app.metric_nature(v_before) when 'money' then 'money' else 'no money' end
    );
  end if;
  if not v_is_rolled_up_alike then
    insert into app.rollup_rebuilds as r (org_id, store_id, metric_key)
    select s.org_id, s.store_id, v_key from app.rolled_up_stores(v_org_id, v_key) s
    on conflict (org_id, store_id, metric_key) do update
    set requested_at = excluded.requested_at, rebuilt_before = excluded.rebuilt_before;
    perform app.keep_closed_dimensions(v_org_id, v_key, v_names_before, v_names_after);
  end if;
  return null;
end
$$;

comment on function app.follow_metric_definition() is
  'Has rollups rebuilt whose dimensions change, and refuses what events could not follow';

create or replace trigger metric_definitions_follow
  after insert or delete or update of unit, aggregation_method, metadata on public.metric_definitions
  for each row execute function app.follow_metric_definition();

reset role;
