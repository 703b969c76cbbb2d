-- updated_at says when a row was last changed, whoever changed it: of every table of public that has such a column.

set role tally_owner;

create or replace function app.touch_updated_at() returns trigger
  language plpgsql volatile set search_path = ''
as $$
begin
  new.updated_at := now();
  return new;
end
$$;

comment on function app.touch_updated_at() is 'Keeps updated_at';

do $$
declare
  v_table name;
begin
  for v_table in
    select c.relname
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attname = 'updated_at'
      and c.relowner = 'tally_owner'::regrole
    order by c.relname
  loop
    execute format(
      'create or replace trigger %I before update on public.%I for each row execute function app.touch_updated_at()',
      v_table || '_touch_updated_at', v_table
    );
  end loop;
end
$$;

reset role;
