-- Ends a run that has brought everything there is. A recurring job waits for its next run, which goes on from the cursor; any
-- other has succeeded. A cursor that is not given stays as it is. Answers the new status.
--
-- Errors: TH010 the lease is over.

set role tally_owner;

create or replace function app.complete_sync_job(
  p_org_id uuid, p_job_id uuid, p_lease_token uuid, p_cursor jsonb default null, p_records bigint default 0
) returns public.sync_status
  language plpgsql volatile set search_path = ''
as $$
declare
  v_job constant public.sync_jobs := app.leased_sync_job(p_org_id, p_job_id, p_lease_token);
  v_status constant public.sync_status := case when v_job.every is null then 'succeeded' else 'pending' end;
begin
  if p_records is null or p_records < 0 then
    raise exception using errcode = 'invalid_parameter_value', message = 'there are no less than no records';
  end if;
  update public.sync_jobs
  set status = v_status, cursor = coalesce(p_cursor, cursor), records = records + p_records, attempts = 0,
    lease_token = null, error_type = null, error_detail = null, finished_at = now(),
    available_at = now() + coalesce(every, '0')
  where org_id = p_org_id and id = p_job_id;
  return v_status;
end
$$;

comment on function app.complete_sync_job(uuid, uuid, uuid, jsonb, bigint) is
  'Ends the run of a sync job; a recurring one waits for the next';
grant execute on function app.complete_sync_job(uuid, uuid, uuid, jsonb, bigint) to service_role;

reset role;
