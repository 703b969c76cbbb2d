-- Why an event of good form is rejected, for people. These codes, and no others, come from app.store_events.

set role tally_owner;

create or replace function app.explain_rejection(p_code text) returns text
  language plpgsql immutable set search_path = ''
as $$
begin
  return case p_code
    when 'store_required' then 'A store is needed: the credential is not tied to one.'
    when 'unknown_store' then 'There is no such store in the organization.'
    when 'unknown_metric' then 'There is no such metric: GET /v1/metrics lists those there are.'
    when 'derived_metric' then 'The metric is made of others and has no events: send those of the metrics it stands on.'
    when 'out_of_range' then
      '`recorded_at` must be after 1970, at most a day ahead, and not so old that its month is closed.'
  end;
end
$$;

comment on function app.explain_rejection(text) is 'Why an event of good form is rejected, for people';
grant execute on function app.explain_rejection(text) to tally_ingest;

reset role;
