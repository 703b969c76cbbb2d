-- Says to a client what the triggers of metric_definitions refused (app.check_metric_definition, app.follow_metric_definition), by the
-- constraint they name. Returns for any other constraint.
--
-- Errors: TH023 the definition makes no sense; TH024 it is needed as it was, or is one too many.

set role tally_owner;

create or replace function app.refuse_definition(p_constraint text, p_message text) returns void
  language plpgsql stable set search_path = ''
as $$
begin
  if p_constraint = 'metric_definitions_sound' then
    raise exception using errcode = 'TH023', message = p_message;
  end if;
  if p_constraint in ('metric_definitions_needed', 'metric_definitions_events', 'metric_definitions_limit') then
    raise exception using errcode = 'TH024', message = p_message;
  end if;
end
$$;

comment on function app.refuse_definition(text, text) is 'Says to a client why a definition is refused';
grant execute on function app.refuse_definition(text, text) to tally_query;

reset role;
