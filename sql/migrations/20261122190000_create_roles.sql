-- The roles. Objects belong to tally_owner, which nobody can log in as; the four functions log in as roles that own
-- nothing, bypass nothing and of the schema api may execute their own functions only. They get a password from the operator
-- (alter role ... password), never from a migration.
--
-- Roles belong to the whole server and not to one database, so each is made only where it is missing, and its settings
-- with it: a second database, or a second migrator at the same time, changes nothing.

do $$
declare
  v_role text;
  v_statement_timeout text;
  v_lock_timeout text;
begin
  for v_role, v_statement_timeout, v_lock_timeout in
    values
      ('tally_owner', null, null),
      -- The provider gives a hook 5 s in all, and the hooks share connections: one that waits must not hold up the others.
      ('tally_provision', '2500ms', '500ms'),
      ('tally_token_hook', '2500ms', '500ms'),
      ('tally_ingest', '20s', '10s'),
      ('tally_query', '20s', '10s')
  loop
    continue when exists (select from pg_catalog.pg_roles where rolname = v_role);
    begin
      if v_statement_timeout is null then
        execute format('create role %I nologin', v_role);
      else
        execute format('create role %I login noinherit', v_role);
        execute format('alter role %I set statement_timeout = %L', v_role, v_statement_timeout);
        execute format('alter role %I set lock_timeout = %L', v_role, v_lock_timeout);
        -- A function that dies inside a statement must not keep its locks.
        execute format('alter role %I set idle_in_transaction_session_timeout = %L', v_role, '5s');
        execute format('alter role %I set search_path = %L', v_role, '');
      end if;
    exception when duplicate_object or unique_violation then
      null; -- another database's migration was first
    end;
  end loop;

  -- Migrations act as tally_owner. A superuser may anyway; on Supabase the migrating role made it and may grant it.
  if not (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
    execute format('grant tally_owner to %I', current_user);
  end if;
end
$$;
