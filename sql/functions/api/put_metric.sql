-- PUT /v1/metrics/{key}: makes or replaces the definition that the organization, which the user manages, has of its own; it goes
-- before a standard one of that key. The same again changes nothing.
--
--   p_definition   {"display_name", "unit", "aggregation_method", "category", "description", "source", "metadata"}, of good form
--
-- Answers {"created", "metric"}: whether there was none before, and the definition as api.list_metrics has it.
--
-- Waits for other changes of the organization's definitions, and where dimensions change for the batches under way.
--
-- Errors: TH002 from app.assume_authority; TH003 from app.managed_org_id; TH023 from app.formula_program, or a definition that makes
-- no sense; TH024 events or other metrics need the one that is there, or there are as many as there may be.

set role tally_owner;

create or replace function api.put_metric(p_authority text, p_key text, p_definition text) returns text
  language plpgsql volatile set search_path = ''
as $$
declare
  v_org_id uuid;
  v_definition constant jsonb := p_definition::jsonb;
  v_created boolean;
  v_constraint text;
begin
  perform app.assume_authority(p_authority);
  v_org_id := app.managed_org_id();
  perform app.lock_definitions(v_org_id);
  v_created := not exists (select from public.metric_definitions d where d.org_id = v_org_id and d.key = p_key);

  begin
    insert into public.metric_definitions as d
      (org_id, key, display_name, unit, aggregation_method, category, description, source, metadata)
    values (
      v_org_id, p_key, v_definition ->> 'display_name', v_definition ->> 'unit', v_definition ->> 'aggregation_method',
      v_definition ->> 'category', v_definition ->> 'description', v_definition ->> 'source', v_definition -> 'metadata'
    )
    on conflict (org_id, key) do update
    set display_name = excluded.display_name,
        unit = excluded.unit,
        aggregation_method = excluded.aggregation_method,
        category = excluded.category,
        description = excluded.description,
        source = excluded.source,
        metadata = excluded.metadata;
  exception when check_violation then
    get stacked diagnostics v_constraint = constraint_name;
    perform app.refuse_definition(v_constraint, sqlerrm);
    raise;
  end;

  return (
    select jsonb_build_object('created', v_created, 'metric', m.document)::text from app.metric_documents(p_key) m
  );
end
$$;

comment on function api.put_metric(text, text, text) is 'PUT /v1/metrics/{key}';
grant execute on function api.put_metric(text, text, text) to tally_query;

reset role;
