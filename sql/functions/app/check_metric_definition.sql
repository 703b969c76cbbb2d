-- Refuses a definition, or the end of one, that leaves a derived metric which cannot be answered: the metric itself (constraint
-- metric_definitions_sound), or one that stands on what was changed (metric_definitions_needed).
--
-- An organization's definition is judged by what the organization sees: its own definitions before the standard ones. The
-- standard catalogue is judged by itself alone, so that no tenant can hold up a migration; if a tenant's metric breaks by
-- that, queries of it say why and answer no number.
--
-- The changes of a statement are judged together, at its end: a ratio and its sides may come and go in one.
--
-- Errors: TH023 from app.formula_program.

set role tally_owner;

create or replace function app.check_metric_definition() returns trigger
  language plpgsql volatile set search_path = ''
as $$
declare
  c_max_definitions constant integer := 1000;
  v_changed record;
  v_fault record;
begin
  if tg_op <> 'DELETE' and new.aggregation_method = 'formula' then
    perform app.formula_program(new.metadata ->> 'formula');
  end if;

  for v_changed in
    select distinct c.org_id, c.key
    from (values (old.org_id, old.key), (new.org_id, new.key)) as c(org_id, key)
    where c.key is not null
  loop
    -- One at a time for an organization: two changes that are good apart may be bad together.
    perform app.lock_definitions(v_changed.org_id);
    -- Nearly always nothing stands on it, and there is nothing to judge.
    continue when not exists (
      select from app.metrics_upon(v_changed.org_id, v_changed.key) as u(key)
      where u.key <> v_changed.key or tg_op <> 'DELETE' and new.aggregation_method in ('ratio', 'formula')
    );
    select f.key, f.fault into v_fault
    from app.definition_faults(v_changed.org_id) with ordinality as f(key, fault, position)
    where f.key in (select app.metrics_upon(v_changed.org_id, v_changed.key))
    order by f.key <> v_changed.key, f.position
    limit 1;
    if found then
      raise exception using errcode = 'check_violation', message = v_fault.fault, constraint = case
        when v_fault.key = v_changed.key then 'metric_definitions_sound' else 'metric_definitions_needed'
      end;
    end if;
  end loop;

  if tg_op = 'INSERT'
    and (select count(*) from public.metric_definitions d where d.org_id = new.org_id) > c_max_definitions then
    raise exception using errcode = 'check_violation', constraint = 'metric_definitions_limit',
      message = format('An organization defines at most %s metrics.', c_max_definitions);
  end if;
  return null;
end
$$;

comment on function app.check_metric_definition() is
  'Refuses a change of definitions that leaves a derived metric which cannot be answered';

create or replace trigger metric_definitions_check
  after insert or delete or update of org_id, key, unit, aggregation_method, metadata on public.metric_definitions
  for each row execute function app.check_metric_definition();

reset role;
