-- Saves how far a worker came, in the transaction that writes the records up to there: then a record counts once, whoever
-- dies when. Lends the job on, and answers until when. Having come further, it has all its attempts again.
--
-- p_records is how many records are new since the last checkpoint.
--
-- Errors: TH010 the lease is over: roll back, the records are another worker's.

set role tally_owner;

create or replace function app.checkpoint_sync_job(
  p_org_id uuid, p_job_id uuid, p_lease_token uuid, p_cursor jsonb, p_records bigint default 0
) returns timestamptz
  language plpgsql volatile set search_path = ''
as $$
declare
  v_job constant public.sync_jobs := app.leased_sync_job(p_org_id, p_job_id, p_lease_token);
  v_until constant timestamptz := clock_timestamp() + v_job.lease;
begin
  if p_cursor is null or p_records is null or p_records < 0 then
    raise exception using errcode = 'invalid_parameter_value', message = 'a checkpoint is a cursor and a number of records';
  end if;
  -- This attempt is the first again.
  update public.sync_jobs
  set cursor = p_cursor, records = records + p_records, attempts = 1, error_type = null, error_detail = null,
    heartbeat_at = clock_timestamp(), available_at = v_until
  where org_id = p_org_id and id = p_job_id;
  return v_until;
end
$$;

comment on function app.checkpoint_sync_job(uuid, uuid, uuid, jsonb, bigint) is
  'Saves how far a running sync job came and lends it on; in the transaction that writes the records';
grant execute on function app.checkpoint_sync_job(uuid, uuid, uuid, jsonb, bigint) to service_role;

reset role;
