-- Makes this session forget what it keeps in mind of metric_events: by a change of the table that is undone at once, of which no other
-- session hears, and which waits for nobody but who changes grants on this very column.
--
-- Where somebody else changed the table at this moment, their change has every session forget. Where nothing can be changed, on a
-- standby, it is left at what is known.
--
-- Security definer: the grant is the owner's. Lock: pg_advisory_xact_lock(1413565517, 1), given back with the change.

set role tally_owner;

create or replace function app.forget_months() returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(1413565517, 1);
  grant select (org_id) on public.metric_events to tally_query;
  raise exception using errcode = 'TH016', message = 'undone on purpose';
exception when sqlstate 'TH016' or internal_error or read_only_sql_transaction then
  null;
end
$$;

comment on function app.forget_months() is 'Makes this session forget what it keeps in mind of metric_events';
grant execute on function app.forget_months() to tally_ingest, tally_query, service_role;

reset role;
