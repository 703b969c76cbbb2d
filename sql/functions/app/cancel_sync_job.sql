-- For managers: ends a job that is not over. Its worker learns of it with its next word, which is refused with TH010; what it
-- saved by checkpoints stays.
--
-- Security definer: as app.schedule_sync_job.
--
-- Errors: TH003 not a manager; TH013 no such unfinished job, or somebody else's.

set role tally_owner;

create or replace function app.cancel_sync_job(p_job_id uuid) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org_id constant pg_catalog.uuid := app.managed_org_id();
begin
  update public.sync_jobs
  set status = 'cancelled', lease_token = null, finished_at = now()
  where org_id = v_org_id and id = p_job_id and status in ('pending', 'running');
  if not found then
    raise exception using errcode = 'TH013', message = 'There is no such unfinished job.';
  end if;
end
$$;

comment on function app.cancel_sync_job(uuid) is 'For managers: ends a sync job that is not over';
grant execute on function app.cancel_sync_job(uuid) to authenticated;

reset role;
