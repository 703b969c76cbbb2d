-- For managers: a job that fetches a stream of a connection from its start, once or again and again. There is one unfinished
-- job of a stream at most: where there is one already it takes on what is asked here, and keeps its cursor; if it waits, for
-- its next run or after a failure, it is due now. Answers its id. A stream is fetched anew from its start by cancelling its job
-- first.
--
-- Workers serve all organizations in one order, so a manager may put a job behind others' (p_priority over 100) and not
-- before them, and an organization has at most 1000 unfinished ones.
--
-- Security definer: members hold no grant to write jobs, so that nothing but these functions decides on what a job becomes.
--
-- Errors: TH003 not a manager; TH013 no such connection, or somebody else's; 22023 a priority under 100; 54000 too many jobs.

set role tally_owner;

create or replace function app.schedule_sync_job(
  p_connection_id uuid, p_stream text, p_every interval default null, p_priority bigint default 100
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  c_usual_priority constant bigint := 100;
  c_max_unfinished constant bigint := 1000;
  v_org_id constant pg_catalog.uuid := app.managed_org_id();
  v_id pg_catalog.uuid;
begin
  if not exists (select from public.integration_connections where org_id = v_org_id and id = p_connection_id) then
    raise exception using errcode = 'TH013', message = 'There is no such connection.';
  end if;
  if p_priority < c_usual_priority then
    raise exception using errcode = 'invalid_parameter_value', message = format('A priority is at least %s.', c_usual_priority);
  end if;
  if (
    select count(*)
    from public.sync_jobs
    where org_id = v_org_id
      and status in ('pending', 'running')
      and (connection_id, stream) is distinct from (p_connection_id, p_stream)
  ) >= c_max_unfinished then
    raise exception using errcode = 'program_limit_exceeded', message = format(
      'An organization has at most %s unfinished jobs.', c_max_unfinished
    );
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
