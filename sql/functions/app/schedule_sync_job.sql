-- For managers: a job that fetches a stream of a connection from its start, once or again and again. There is one unfinished
-- job of a stream at most: where there is one already it takes on what is asked here, and keeps its cursor; if it waits, for
-- its next run or after a failure, it is due now. Answers its id. A stream is fetched anew from its start by cancelling its job
-- first.
--
-- Security definer: members hold no grant to write jobs, so that nothing but these functions decides on what a job becomes.
--
-- Errors: TH003 not a manager; TH013 no such connection, or somebody else's.

set role tally_owner;

create or replace function app.schedule_sync_job(
  p_connection_id uuid, p_stream text, p_every interval default null, p_priority bigint default 100
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org_id constant pg_catalog.uuid := app.managed_org_id();
  v_id pg_catalog.uuid;
begin
  if not exists (select from public.integration_connections where org_id = v_org_id and id = p_connection_id) then
    raise exception using errcode = 'TH013', message = 'There is no such connection.';
  end if;
  insert into public.sync_jobs as j (org_id, connection_id, stream, every, priority)
  values (v_org_id, p_connection_id, p_stream, p_every, p_priority)
  on conflict (org_id, connection_id, stream) where status in ('pending', 'running') do update
  set every = excluded.every,
    priority = excluded.priority,
    available_at = case j.status when 'pending' then excluded.available_at else j.available_at end
  returning j.id into v_id;
  return v_id;
end
$$;

comment on function app.schedule_sync_job(uuid, text, interval, bigint) is
  'For managers: has a stream of a connection fetched, once or again and again';
grant execute on function app.schedule_sync_job(uuid, text, interval, bigint) to authenticated;

reset role;
