-- Hands out the next job that is due, to one worker alone: none or one row, with the token that everything said of the job
-- must come with, and until when it is lent. The worker's part is to come back before that: with a checkpoint, a heartbeat,
-- or the end.
--
-- The least priority first, then what has waited longest. A job whose lease is over is due like any other: its worker is
-- taken for dead, and the next one goes on from the last checkpoint. One that was handed out max_attempts times without
-- coming further fails. Jobs of connections that are not active are passed over.
--
-- The credential is not in it: private.get_integration_credential has it.

set role tally_owner;

create or replace function app.claim_sync_job(
  p_worker text, p_lease interval default '5 minutes', p_providers text[] default null
) returns table (
  org_id uuid,
  id uuid,
  connection_id uuid,
  store_id uuid,
  provider text,
  external_account_id text,
  settings jsonb,
  stream text,
  cursor jsonb,
  attempts bigint,
  max_attempts bigint,
  lease_token uuid,
  lease_until timestamptz
)
  language plpgsql volatile set search_path = ''
as $$
#variable_conflict use_column
declare
  v_job public.sync_jobs;
begin
  if p_lease is null or p_lease not between '1 second' and '1 hour' then
    raise exception using errcode = 'invalid_parameter_value', message = 'a lease is between 1 second and 1 hour';
  end if;

  loop
    select j.* into v_job
    from public.sync_jobs j
    join public.integration_connections c on c.org_id = j.org_id and c.id = j.connection_id
    where j.status in ('pending', 'running')
      and j.available_at <= now()
      and c.status = 'active'
      and (p_providers is null or c.provider = any (p_providers))
    order by j.priority, j.available_at
    limit 1
    for update of j skip locked;
    if not found then
      return;
    end if;
    exit when v_job.attempts < v_job.max_attempts;

    update public.sync_jobs j
    set status = 'failed', lease_token = null, finished_at = now(), error_type = 'lost_worker',
      error_detail = 'The worker went silent, and so did those before it.'
    where j.org_id = v_job.org_id and j.id = v_job.id;
  end loop;

  -- A run that was over, and not one that is tried again, is followed by a new one.
  return query
    update public.sync_jobs j
    set status = 'running',
      worker = p_worker,
      lease = p_lease,
      lease_token = gen_random_uuid(),
      heartbeat_at = clock_timestamp(),
      available_at = clock_timestamp() + p_lease,
      attempts = j.attempts + 1,
      records = case when j.finished_at is null then j.records else 0 end,
      started_at = case when j.finished_at is null then coalesce(j.started_at, now()) else now() end,
      finished_at = null
    from public.integration_connections c
    where j.org_id = v_job.org_id and j.id = v_job.id and c.org_id = j.org_id and c.id = j.connection_id
    returning
      j.org_id, j.id, j.connection_id, c.store_id, c.provider, c.external_account_id, c.settings, j.stream, j.cursor,
      j.attempts, j.max_attempts, j.lease_token, j.available_at;
end
$$;

comment on function app.claim_sync_job(text, interval, text[]) is 'Hands out the next sync job that is due to one worker alone';
grant execute on function app.claim_sync_job(text, interval, text[]) to service_role;

reset role;
