-- Ends an attempt that did not come to its end. Answers the new status.
--
-- transient, rate_limited, internal: it is tried again after 10 s, 30 s, 90 s and so on, an hour at most, each a little less at
-- random so that jobs that failed together do not come back together; or after p_retry_after where that is longer (a day at
-- most), as providers say it. After max_attempts it fails. What was saved by a checkpoint stays.
-- authorization, configuration: trying again is no use. It fails, and its connection is in error until somebody has put it
-- right.
--
-- p_detail is read by every member of the organization: no credential, no body of a response. It is cut at 1000 characters.
--
-- Errors: TH010 the lease is over.

set role tally_owner;

create or replace function app.fail_sync_job(
  p_org_id uuid,
  p_job_id uuid,
  p_lease_token uuid,
  p_error_type text,
  p_detail text default null,
  p_retry_after interval default null
) returns public.sync_status
  language plpgsql volatile set search_path = ''
as $$
declare
  v_for_good constant boolean := p_error_type in ('authorization', 'configuration');
  v_job public.sync_jobs;
  v_status public.sync_status;
  v_wait interval;
begin
  if p_error_type is null
    or p_error_type not in ('transient', 'rate_limited', 'internal', 'authorization', 'configuration') then
    raise exception using errcode = 'invalid_parameter_value',
      message = 'an error is transient, rate_limited, internal, authorization or configuration';
  end if;
  if v_for_good then
    -- First the connection, as its deletion does; without the lease it is all undone.
    update public.integration_connections c
    set status = case when c.status = 'active' then 'error' else c.status end,
      last_error_type = p_error_type, last_error_at = now()
    from public.sync_jobs j
    where j.org_id = p_org_id and j.id = p_job_id and c.org_id = j.org_id and c.id = j.connection_id;
  end if;

  v_job := app.leased_sync_job(p_org_id, p_job_id, p_lease_token);
  v_status := case when v_for_good or v_job.attempts >= v_job.max_attempts then 'failed' else 'pending' end;
  -- From the seventh power on it is more than the hour.
  v_wait := least(interval '10 seconds' * power(3, least(v_job.attempts - 1, 6)), interval '1 hour') * (0.8 + 0.2 * random());
  update public.sync_jobs
  set status = v_status, lease_token = null, error_type = p_error_type, error_detail = left(p_detail, 1000),
    finished_at = case when v_status = 'failed' then now() end,
    available_at = now() + least(greatest(v_wait, p_retry_after), interval '1 day')
  where org_id = p_org_id and id = p_job_id;
  return v_status;
end
$$;

comment on function app.fail_sync_job(uuid, uuid, uuid, text, text, interval) is
  'Ends an attempt at a sync job that failed: to be tried again later, or for good';
grant execute on function app.fail_sync_job(uuid, uuid, uuid, text, text, interval) to service_role;

reset role;
