-- GET /v1/metrics/{key}: one definition that the organization can use, as api.list_metrics has it.
--
-- Errors: TH001, TH002 from app.assume_authority; TH003 not allowed to read; TH025 no such metric.

set role tally_owner;

create or replace function api.get_metric(p_authority text, p_key text) returns text
  language plpgsql volatile set search_path = ''
as $$
declare
  v_document jsonb;
begin
  perform app.assume_authority(p_authority);
  if not app.may_read_metrics() then
    raise exception using errcode = 'TH003', message = 'the role may not read metrics';
  end if;

  select m.document into v_document from app.metric_documents(p_key) m;
  if not found then
    raise exception using errcode = 'TH025', message = format('no metric %s', p_key);
  end if;
  return v_document::text;
end
$$;

comment on function api.get_metric(text, text) is 'GET /v1/metrics/{key}';
grant execute on function api.get_metric(text, text) to tally_query;

reset role;
