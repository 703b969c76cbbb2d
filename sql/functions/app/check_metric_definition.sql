-- Refuses a definition, or the end of one, that leaves a ratio which cannot be answered: the ratio itself, or one that stands
-- on what was changed.
--
-- An organization's definition is judged by what the organization sees: its own definitions before the standard ones. The
-- standard catalogue is judged by itself alone, so that no tenant can hold up a migration; if a tenant's ratio breaks by
-- that, queries of it say why and answer no number.
--
-- The changes of a statement are judged together, at its end: a ratio and its sides may come and go in one.

set role tally_owner;

create or replace function app.check_metric_definition() returns trigger
  language plpgsql volatile set search_path = ''
as $$
declare
  c_max_definitions constant integer := 1000;
  v_changed record;
  v_fault text;
begin
  for v_changed in
    select distinct c.org_id, c.key
    from (values (old.org_id, old.key), (new.org_id, new.key)) as c(org_id, key)
    where c.key is not null
  loop
    -- One at a time for an organization: two changes that are good apart may be bad together.
    perform pg_advisory_xact_lock(hashtextextended('metric_definitions ' || coalesce(v_changed.org_id::text, ''), 0));
    select f.fault into v_fault
    from app.ratio_faults(v_changed.org_id) f
    where f.fault is not null and v_changed.key in (f.key, f.numerator, f.denominator)
    order by f.key
    limit 1;
    if v_fault is not null then
      raise exception using errcode = 'check_violation', message = v_fault;
    end if;
  end loop;

  if tg_op = 'INSERT'
    and (select count(*) from public.metric_definitions d where d.org_id = new.org_id) > c_max_definitions then
    raise exception using errcode = 'check_violation',
      message = format('An organization defines at most %s metrics.', c_max_definitions);
  end if;
  return null;
end
$$;

comment on function app.check_metric_definition() is 'Refuses a change of definitions that leaves a ratio which cannot be answered';

create or replace trigger metric_definitions_check
  after insert or delete or update of org_id, key, unit, aggregation_method, metadata on public.metric_definitions
  for each row execute function app.check_metric_definition();

reset role;
