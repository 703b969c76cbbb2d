-- For managers: runs a job that is over once more, from where it came to, with all its attempts. The connection's status stays
-- as it is: of one in error the job waits until that is put right.
--
-- Security definer: as app.schedule_sync_job.
--
-- Errors: TH003 not a manager; TH013 no such job that is over, or somebody else's; 23505 there is an unfinished one of the stream.

set role tally_owner;

create or replace function app.retry_sync_job(p_job_id uuid) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org_id constant pg_catalog.uuid := app.managed_org_id();
begin
  update public.sync_jobs
  set status = 'pending', available_at = now(), attempts = 0, error_type = null, error_detail = null
  where org_id = v_org_id and id = p_job_id and status in ('succeeded', 'failed', 'cancelled');
  if not found then
    raise exception using errcode = 'TH013', message = 'There is no such job that is over.';
  end if;
end
$$;

comment on function app.retry_sync_job(uuid) is 'For managers: runs a sync job that is over once more, from where it came to';
grant execute on function app.retry_sync_job(uuid) to authenticated;

reset role;
