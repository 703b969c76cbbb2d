-- The job that a worker has, locked; every word of a worker goes through here. A token that is not the current one means
-- that the job was taken over, cancelled, ended or deleted: whoever holds it changes nothing any more. One whose lease is over
-- and whose job nobody has taken yet may go on. Only a running job has a token.
--
-- Errors: TH010.

set role tally_owner;

create or replace function app.leased_sync_job(p_org_id uuid, p_job_id uuid, p_lease_token uuid) returns public.sync_jobs
  language plpgsql volatile set search_path = ''
as $$
declare
  v_job public.sync_jobs;
begin
  select j.* into v_job
  from public.sync_jobs j
  where j.org_id = p_org_id and j.id = p_job_id and j.lease_token = p_lease_token
  for update;
  if not found then
    raise exception using errcode = 'TH010',
      message = 'The lease is over: the job was taken over, cancelled or ended. Nothing was changed; stop working on it.';
  end if;
  return v_job;
end
$$;

comment on function app.leased_sync_job(uuid, uuid, uuid) is 'The job that a worker has, locked; TH010 if it is not the worker''s any more';
grant execute on function app.leased_sync_job(uuid, uuid, uuid) to service_role;

reset role;
