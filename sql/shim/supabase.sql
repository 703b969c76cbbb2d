-- What plain Postgres lacks of Supabase: the roles PostgREST switches to, auth.users, and the readers of the JWT claims.
-- Each statement looks first, so that on Supabase this file changes nothing.

do $$
declare
  v_role text;
begin
  foreach v_role in array array['anon', 'authenticated', 'service_role', 'supabase_auth_admin'] loop
    if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
      begin
        execute format('create role %I nologin noinherit', v_role);
      exception when duplicate_object or unique_violation then
        null; -- roles belong to the whole server: another database's migration was first
      end;
    end if;
  end loop;
end
$$;

do $$
begin
  if to_regnamespace('auth') is null then
    create schema auth;
    grant usage on schema auth to anon, authenticated, service_role, supabase_auth_admin;
  end if;

  if to_regclass('auth.users') is null then
    create table auth.users (
      id uuid constraint users_pkey primary key default gen_random_uuid(),
      email text,
      phone text,
      raw_app_meta_data jsonb,
      raw_user_meta_data jsonb,
      is_anonymous boolean not null default false,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    comment on table auth.users is 'Stands in for Supabase Auth''s table where Supabase is not installed';
    grant select, insert, update, delete on auth.users to supabase_auth_admin;
  end if;

  if to_regprocedure('auth.jwt()') is null then
    execute $function$
      create function auth.jwt() returns jsonb
        language sql stable set search_path = ''
        return coalesce(
          nullif(current_setting('request.jwt.claim', true), ''),
          nullif(current_setting('request.jwt.claims', true), '')
        )::jsonb
    $function$;
  end if;

  if to_regprocedure('auth.uid()') is null then
    execute $function$
      create function auth.uid() returns uuid
        language sql stable set search_path = ''
        return (auth.jwt() ->> 'sub')::uuid
    $function$;
  end if;
end
$$;
