-- DELETE /v1/metrics/{key}: removes the definition that the organization, which the user manages, has of its own; the standard one,
-- if there is one, counts from then on. Where there is none of its own, nothing is to be done. Answers the key.
--
-- Waits as api.put_metric does.
--
-- Errors: TH002 from app.assume_authority; TH003 from app.managed_org_id; TH024 events or other metrics need it.

set role tally_owner;

create or replace function api.delete_metric(p_authority text, p_key text) returns text
  language plpgsql volatile set search_path = ''
as $$
declare
  v_org_id uuid;
  v_constraint text;
begin
  perform app.assume_authority(p_authority);
  v_org_id := app.managed_org_id();
  perform app.lock_definitions(v_org_id);

  delete from public.metric_definitions d where d.org_id = v_org_id and d.key = p_key;
  return p_key;
exception when check_violation then
  get stacked diagnostics v_constraint = constraint_name;
  perform app.refuse_definition(v_constraint, sqlerrm);
  raise;
end
$$;

comment on function api.delete_metric(text, text) is 'DELETE /v1/metrics/{key}';
grant execute on function api.delete_metric(text, text) to tally_query;

reset role;
