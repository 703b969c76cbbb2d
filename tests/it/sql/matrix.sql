-- Computes the access matrix, on top of fixture.sql: who reaches which rows of which table, and who may call what.
-- Nothing here knows the policies; each cell is tried, row by row, and undone.

create table fixture.personas (
  position integer primary key,
  name text not null,
  role text not null,
  claims jsonb not null,
  is_authority boolean not null
);
insert into fixture.personas
  select row_number() over (), p.*
  from (values
    ('owner', 'authenticated', fixture.claims('aaaaaaaa', 7, 'owner'), false),
    ('admin', 'authenticated', fixture.claims('aaaaaaaa', 8, 'admin'), false),
    ('member', 'authenticated', fixture.claims('aaaaaaaa', 9, 'member'), false),
    ('viewer', 'authenticated', fixture.claims('aaaaaaaa', 10, 'viewer'), false),
    ('ws_admin', 'authenticated', fixture.claims('aaaaaaaa', 14, 'viewer'), false),
    ('demoted', 'authenticated', fixture.claims('aaaaaaaa', 12, 'owner'), false),
    ('removed', 'authenticated', fixture.claims('aaaaaaaa', 11, 'admin'), false),
    -- A token that says more than is so.
    ('outsider', 'authenticated',
      fixture.claims('bbbbbbbb', 7, 'owner') || jsonb_build_object('org_id', fixture.id('aaaaaaaa', 1)), false),
    ('anon', 'anon', '{"role": "anon"}', false),
    ('service_role', 'service_role', '{"role": "service_role"}', false),
    ('auth_admin', 'supabase_auth_admin', '{}', false),
    ('provision', 'tally_provision', '{}', false),
    ('token_hook', 'tally_token_hook', fixture.claims('aaaaaaaa', 7, 'owner'), true),
    ('ingest', 'tally_ingest', fixture.claims('aaaaaaaa', 9, 'member'), true),
    ('query', 'tally_query', fixture.claims('aaaaaaaa', 10, 'viewer'), true)
  ) as p;

-- What one persona may do with one row: 'yes', 'no', or the SQLSTATE of what came in between.
create function fixture.try(p_persona fixture.personas, p_statement text) returns text language plpgsql as $$
declare
  v_count bigint;
begin
  begin
    perform set_config('role', p_persona.role, true);
    if p_persona.is_authority then
      execute 'select app.assume_authority($1)' using p_persona.claims::text;
    else
      perform set_config('request.jwt.claims', p_persona.claims::text, true);
    end if;
    execute p_statement;
    get diagnostics v_count = row_count;
    raise exception using errcode = 'ZZ000';
  exception
    when sqlstate 'ZZ000' then return case when v_count > 0 then 'yes' else 'no' end;
    when insufficient_privilege then return 'no';
    when integrity_constraint_violation then return 'yes'; -- policies are asked before keys and checks
    when others then return sqlstate;
  end;
end
$$;

-- Row by row, what comes of an action of a persona. Of long tables the beginning must do.
create function fixture.tried(p_persona fixture.personas, p_resource fixture.resources, p_action text, p_columns text[])
  returns table (org_id uuid, user_id uuid, outcome text)
  language plpgsql
as $$
#variable_conflict use_column
declare
  c_table constant text := p_resource.name;
  c_names constant text := array_to_string(p_columns, ', ');
  v_row record;
begin
  for v_row in execute format(
    'select %s as org_id, %s as user_id, to_jsonb(t) as content, concat_ws('' and '', %s) as condition
     from %s t order by content limit 100',
    fixture.column_of(p_resource.oid, 'org'), fixture.column_of(p_resource.oid, 'user'),
    (select string_agg(format('format(''%I is not distinct from %%L'', t.%I)', name, name), ', ') from unnest(p_resource.key) as name),
    c_table
  ) loop
    return query select v_row.org_id, v_row.user_id, fixture.try(p_persona, case p_action
      when 'select' then format('select %s from %s where %s', c_names, c_table, v_row.condition)
      when 'delete' then format('delete from %s where %s', c_table, v_row.condition)
      when 'update' then format(
        'update %s set %s where %s', c_table,
        (select string_agg(format('%s = %s', name, name), ', ') from unnest(p_columns) as name), v_row.condition
      )
      -- The same row once more, as far as its columns may be given.
      when 'insert' then format(
        'insert into %1$s (%2$s) select %2$s from jsonb_populate_record(null::%1$s, %3$L)',
        c_table, c_names, v_row.content
      )
    end);
  end loop;
end
$$;

-- What one persona reaches of one table.
create function fixture.cell(p_persona fixture.personas, p_resource fixture.resources, p_action text) returns text
  language plpgsql
as $$
declare
  -- There is no right to delete a column; none is needed.
  c_columns constant text[] := case
    when p_action <> 'delete' then fixture.columns(p_persona.role, p_resource.oid, p_action)
  end;
begin
  if not has_schema_privilege(p_persona.role, p_resource.schema, 'usage') or c_columns = '{}'
    or p_action = 'delete' and not has_table_privilege(p_persona.role, p_resource.oid, 'delete')
  then
    return '-';
  end if;
  return (
    select case
      when min(outcome) is not null then min(outcome)
      when not bool_or(is_reached) then 'none'
      when bool_and(is_reached) then 'all'
      when bool_and(is_self) filter (where is_reached) then 'self'
      when bool_and(is_own) filter (where is_reached) then
        case when bool_and(is_reached) filter (where is_own) then 'own' else 'part' end
      when bool_and(is_shared) filter (where is_reached) then 'std'
      when bool_and(is_own or is_shared) filter (where is_reached) and bool_and(is_reached) filter (where is_own)
        then 'own+std'
      else 'FOREIGN'
    end
    from (
      select
        outcome = 'yes' as is_reached,
        coalesce(org_id = (p_persona.claims ->> 'org_id')::uuid, false) as is_own,
        coalesce(user_id = (p_persona.claims ->> 'sub')::uuid, false) as is_self,
        org_id is null and user_id is null as is_shared,
        nullif(nullif(outcome, 'yes'), 'no') as outcome
      from fixture.tried(p_persona, p_resource, p_action, c_columns)
    ) as tried
  );
end
$$;

-- A row of the matrix, aligned.
create function fixture.line(p_head text, p_width integer, p_cells text[]) returns text language sql immutable as $$
  select rtrim(rpad(p_head, p_width) || string_agg(rpad(cell, 13), '' order by position))
  from unnest(p_cells) with ordinality as c(cell, position)
$$;

create function fixture.tables_matrix() returns setof text language sql as $$
  select fixture.line('', 42, array_agg(name order by position)) from fixture.personas
  union all
  (
    select fixture.line(
      rpad(r.schema || '.' || r.relname, 35) || a.action, 42,
      (select array_agg(fixture.cell(p, r, a.action) order by p.position) from fixture.personas p)
    )
    from fixture.resources r
    join (values (1, 'select'), (2, 'insert'), (3, 'update'), (4, 'delete')) as a(position, action)
      on a.action = 'select' or not r.is_view
    order by r.schema collate "C", r.relname collate "C", a.position
  )
  union all
  -- The months are reached through metric_events alone.
  select fixture.line(rpad('partitions.*', 35) || 'any', 42, array_agg(
    case
      when exists (
        select from pg_class c
        where c.relnamespace = 'partitions'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
          and (
            has_any_column_privilege(p.role, c.oid, 'select, insert, update')
            or has_table_privilege(p.role, c.oid, 'delete, truncate')
          )
      ) then 'SOME'
      else '-'
    end
    order by p.position
  ))
  from fixture.personas p
$$;

create view fixture.roles as
  select *
  from unnest(array[
    'anon', 'authenticated', 'service_role', 'supabase_auth_admin',
    'tally_provision', 'tally_token_hook', 'tally_ingest', 'tally_query'
  ]) with ordinality as r(name, position);

-- The columns that a right is confined to, where it is not one to the table.
create function fixture.columns_matrix() returns setof text language sql as $$
  select rpad(t.name, 35) || rpad(a.action, 7) || rpad(r.name, 21) || array_to_string(c.names, ', ')
  from fixture.resources t
  cross join (values (1, 'select'), (2, 'insert'), (3, 'update')) as a(position, action)
  cross join fixture.roles r
  cross join lateral fixture.columns(r.name, t.oid, a.action) as c(names)
  where c.names <> '{}' and not has_table_privilege(r.name, t.oid, a.action)
  order by t.name collate "C", a.position, r.position
$$;

create function fixture.functions_matrix() returns setof text language sql as $$
  with called as (
    select
      n.nspname, p.proname, p.prosecdef, r.name, r.position, pg_get_function_identity_arguments(p.oid) as arguments,
      n.nspname || '.' || p.proname || '/' || p.pronargs as head,
      has_schema_privilege(r.name, n.oid, 'usage') and has_function_privilege(r.name, p.oid, 'execute') as may
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    cross join fixture.roles r
    where n.nspname in ('api', 'app', 'private', 'public')
      and not exists (
        select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
      )
  )
  select rpad('', 50) || string_agg(name, '  ' order by position) from fixture.roles
  union all
  (
    select rtrim(
      rpad(head, 42) || case when prosecdef then 'definer ' else repeat(' ', 8) end
        || string_agg(rpad(case when may then 'yes' else '-' end, length(name) + 2), '' order by position)
    )
    from called
    group by nspname, proname, prosecdef, arguments, head
    order by nspname collate "C", proname collate "C", arguments collate "C"
  )
$$;
