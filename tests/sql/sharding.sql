-- sql/citus/distribute.sql, held against what Citus documents of tables it can distribute. Citus is not here: two functions
-- stand in for its own, which note where the script puts a table, and a view finds what Citus would refuse then. So the
-- schema stays one that can be sharded by organization. What happens at run time is not shown by this.

begin;

create temporary table placed (relation regclass primary key, by_column name, colocate_with text);

create function create_reference_table(table_name regclass) returns void language sql as
  $$ insert into pg_temp.placed values (table_name) $$;
create function create_distributed_table(
  table_name regclass, distribution_column text, distribution_type text default 'hash', colocate_with text default 'default'
) returns void language plpgsql as $$
begin
  insert into pg_temp.placed values (table_name, distribution_column, create_distributed_table.colocate_with);
  -- As Citus does, at once; where the script has no key any more, which the others do, is its own business.
  if current_setting('citus.enable_unsafe_triggers', true) is distinct from 'on' and exists (
    select from pg_trigger where tgrelid = table_name and not tgisinternal
  ) then
    raise exception 'cannot distribute relation "%" because it has triggers', table_name;
  end if;
end
$$;

create temporary view foreign_keys as
  select conrelid::regclass as relation, conname, pg_get_constraintdef(oid) as definition from pg_constraint where contype = 'f';
create temporary table foreign_keys_before as select * from foreign_keys;

-- The attribute number of the column that a table is distributed by; null where it is not.
create temporary view placement as
  select p.relation, p.by_column, a.attnum, a.atttypid, a.attnotnull, a.attgenerated,
    case when p.by_column is null then null when p.colocate_with = 'default' then p.relation else to_regclass(p.colocate_with) end
      as leader
  from placed p
  left join pg_attribute a on a.attrelid = p.relation and a.attname = p.by_column and not a.attisdropped;

create temporary view refused as
  select object, problem from (
  select c.oid::regclass::text as object, 'is not placed, nor is its parent' as problem
  from pg_class c
  where c.relnamespace in (select oid from pg_namespace where nspname in ('public', 'app', 'private'))
    and c.relkind in ('r', 'p') and not c.relispartition
    and c.oid <> coalesce(to_regclass('app.schema_migrations'), 0)
    and c.oid not in (select relation from placed)
  union all
  select p.relation::text, 'is a partition: it goes with its parent'
  from placed p
  join pg_class c on c.oid = p.relation and c.relispartition
  union all
  select relation::text, 'its distribution column is not a plain uuid, not null'
  from placement
  where by_column is not null and (atttypid = 'uuid'::regtype and attnotnull and attgenerated = '') is not true
  union all
  select p.relation::text, 'is not in the one group of all'
  from placement p
  where p.by_column is not null and p.leader is distinct from 'public.workspaces'::regclass
  union all
  select p.relation::text, format('%s is unique without the distribution column', i.indexrelid::regclass)
  from placement p
  join pg_index i on i.indrelid = p.relation and (i.indisunique or i.indisexclusion)
  where p.by_column is not null and not coalesce(p.attnum, 0) = any (i.indkey)
  union all
  select f.relation::text, k.conname || case
      when t.relation is null then ' leads to a table that is not placed'
      when f.by_column is null and t.by_column is not null then ' leads from a reference table to a distributed one'
      when f.by_column is not null and t.by_column is not null
        and (f.leader = t.leader and array_position(k.conkey, f.attnum) = array_position(k.confkey, t.attnum)) is not true
        then ' does not hold the distribution columns of both at the same place'
      when f.by_column is not null and f.attnum = any (k.conkey) and k.confdeltype in ('n', 'd')
        then ' sets the distribution column to null or a default'
      when f.by_column is not null and f.attnum = any (k.conkey) and k.confupdtype in ('n', 'd', 'c')
        then ' changes the distribution column'
    end
  from placement f
  join pg_constraint k on k.conrelid = f.relation and k.contype = 'f' and k.conparentid = 0
  left join placement t on t.relation = k.confrelid
  ) as found
  where problem is not null;

-- Whether what is planted is found: nothing of it stays.
create function pg_temp.finds(p_object text, p_problem text, p_sql text) returns boolean language plpgsql as $$
declare
  v_found boolean;
begin
  begin
    execute p_sql;
    select exists (select from refused where object = p_object and problem like p_problem) into v_found;
    raise exception sqlstate 'PLANT';
  exception when sqlstate 'PLANT' then
    return v_found;
  end;
end
$$;

create temporary table plant (object text, problem text, sql text);
insert into plant values
  ('planted', '%not placed%', 'create table planted (id uuid)'),
  ('partitions.metric_events_197001', '%is a partition%',
    $$select app.ensure_partition('1970-01-01');
      select create_distributed_table('partitions.metric_events_197001', 'org_id', colocate_with => 'public.workspaces')$$),
  ('planted', '%not a plain uuid%',
    $$create table planted (org_id uuid); select create_distributed_table('planted', 'org_id', colocate_with => 'workspaces')$$),
  ('planted', '%not a plain uuid%',
    $$create table planted (id uuid); select create_distributed_table('planted', 'org_id', colocate_with => 'workspaces')$$),
  ('planted', '%not in the one group%',
    $$create table planted (org_id uuid not null); select create_distributed_table('planted', 'org_id')$$),
  ('stores', '%stores_external_id_key is unique without%',
    'alter table stores add constraint stores_external_id_key unique (external_id)'),
  ('stores', '%leads to a table that is not placed', $$create table planted (id uuid primary key);
    alter table stores add by_planted uuid, add foreign key (by_planted) references planted$$),
  ('org_members', '%from a reference table to a distributed one', $$alter table org_members add workspace_id uuid,
    add foreign key (org_id, workspace_id) references workspaces$$),
  ('stores', '%does not hold the distribution columns%', $$alter table workspaces add unique (id);
    alter table stores add foreign key (workspace_id) references workspaces (id)$$),
  ('stores', '%does not hold the distribution columns%', $$alter table workspaces add unique (id, org_id);
    alter table stores add foreign key (org_id, workspace_id) references workspaces (id, org_id)$$),
  ('stores', '%sets the distribution column%',
    'alter table stores add foreign key (org_id, workspace_id) references workspaces on delete set null'),
  ('stores', '%changes the distribution column%',
    'alter table stores add foreign key (org_id) references organizations on update cascade');

select plan((4 + (select count(*) from plant))::integer);

\ir ../../sql/citus/distribute.sql

select is_empty('select * from refused order by 1, 2', 'Citus would refuse nothing');
select bag_eq('select * from foreign_keys', 'select * from foreign_keys_before', 'every foreign key is there again');
select isnt_empty(
  'select from foreign_keys_before where relation in (select relation from placed where by_column is not null)',
  'among them some of distributed tables'
);
select throws_like(
  $$create table planted (org_id uuid not null);
    create trigger planted before update on planted for each row execute function suppress_redundant_updates_trigger();
    select create_distributed_table('planted', 'org_id', colocate_with => 'workspaces')$$,
  '%because it has triggers', 'a trigger is refused where the script does not say that it may be'
);
select ok(pg_temp.finds(object, problem, sql), format('refused: %s %s', object, problem)) from plant;

select * from finish();
rollback;
