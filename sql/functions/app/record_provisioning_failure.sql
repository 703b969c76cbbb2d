-- Keeps what the database said when a user could not be given an organization. Never fails itself: it is called where a
-- sign-up or a token must go on. What cannot be kept is still in the server's log.

set role tally_owner;

create or replace function app.record_provisioning_failure(p_user_id uuid, p_sqlstate text, p_message text) returns void
  language plpgsql volatile set search_path = ''
as $$
begin
  raise warning 'user % has no organization yet: % (%)', p_user_id, left(p_message, 500), p_sqlstate;
  insert into app.provisioning_failures as f (user_id, sqlstate, message)
  values (p_user_id, p_sqlstate, left(p_message, 500))
  on conflict (user_id) do update
  set failed_at = now(),
      sqlstate = excluded.sqlstate,
      message = excluded.message,
      attempts = f.attempts + 1,
      resolved_at = null;
exception when query_canceled or others then
  raise warning 'that user % has no organization could not be recorded: % (%)', p_user_id, sqlerrm, sqlstate;
end
$$;

comment on function app.record_provisioning_failure(uuid, text, text) is
  'Keeps why a user could not be given an organization; never fails';

reset role;
