-- The trigger on auth.users: a user who signs up gets an organization in the same transaction, an anonymous one does not.
--
-- No sign-up fails for it, whatever goes wrong: it waits a second for a lock and no longer, and a statement that is
-- cancelled here (statement_timeout) ends the provisioning and not the sign-up. What failed is kept in
-- app.provisioning_failures, and the user's next token makes it good.
--
-- Security definer: the provider's role may insert users and nothing of ours.

set role tally_owner;

create or replace function public.handle_new_user() returns trigger
  language plpgsql volatile security definer set search_path = ''
  set lock_timeout = '1s'
as $$
declare
  v_user pg_catalog.jsonb;
begin
  -- As JSON, since old versions of auth.users do not have all of the columns.
  v_user := to_jsonb(new);
  if (v_user ->> 'is_anonymous')::pg_catalog.bool is not true then
    perform app.provision_user(new.id, app.organization_name(v_user -> 'raw_user_meta_data', v_user ->> 'email'));
  end if;
  return null;
exception
  -- The hook over HTTP is at it, or another transaction: not a failure, and the next token sees how it ended.
  when lock_not_available then
    raise log 'user % has no organization yet: %', new.id, sqlerrm;
    return null;
  when query_canceled or others then
    perform app.record_provisioning_failure(new.id, sqlstate, sqlerrm);
    return null;
end
$$;

comment on function public.handle_new_user() is 'Gives a user who signs up an organization; never fails';
revoke execute on function public.handle_new_user() from public, anon, authenticated;

reset role;

-- By the migrating role, which may make a trigger on auth.users but on Supabase does not own it, and so could never drop it;
-- and only where it is missing, since making it waits for the sign-ups under way.
do $$
begin
  if not exists (
    select
    from pg_catalog.pg_trigger
    where tgrelid = 'auth.users'::regclass and tgfoid = 'public.handle_new_user()'::regprocedure
  ) then
    create trigger on_auth_user_created after insert on auth.users
      for each row execute function public.handle_new_user();
  end if;
end
$$;
