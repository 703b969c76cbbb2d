-- GET /v1/metrics: the definitions that the organization can use, by category and key.
--
-- Errors: TH001, TH002 from app.assume_authority; TH003 not allowed to read.

set role tally_owner;

create or replace function api.list_metrics(p_authority text) returns text
  language plpgsql volatile set search_path = ''
as $$
begin
  perform app.assume_authority(p_authority);
  if not app.may_read_metrics() then
    raise exception using errcode = 'TH003', message = 'the role may not read metrics';
  end if;

  return (
    select jsonb_build_object('metrics', coalesce(jsonb_agg(m.document order by m.category, m.key), '[]'))::text
    from app.metric_documents() m
  );
end
$$;

comment on function api.list_metrics(text) is 'GET /v1/metrics';
grant execute on function api.list_metrics(text) to tally_query;

reset role;
