-- A sign of life without a checkpoint: lends the job on, and answers until when.
--
-- Errors: TH010 the lease is over.

set role tally_owner;

create or replace function app.heartbeat_sync_job(p_org_id uuid, p_job_id uuid, p_lease_token uuid) returns timestamptz
  language plpgsql volatile set search_path = ''
as $$
declare
  v_job constant public.sync_jobs := app.leased_sync_job(p_org_id, p_job_id, p_lease_token);
  v_until constant timestamptz := clock_timestamp() + v_job.lease;
begin
  update public.sync_jobs
  set heartbeat_at = clock_timestamp(), available_at = v_until
  where org_id = p_org_id and id = p_job_id;
  return v_until;
end
$$;

comment on function app.heartbeat_sync_job(uuid, uuid, uuid) is 'Lends a running sync job on; answers until when';
grant execute on function app.heartbeat_sync_job(uuid, uuid, uuid) to service_role;

reset role;
