-- Refuses to change what other rows know a row by without a foreign key that would follow: events and rollups name their
-- store and their metric.

set role tally_owner;

create or replace function app.keep_identity() returns trigger
  language plpgsql volatile set search_path = ''
as $$
begin
  raise exception using errcode = 'check_violation', message = format(
    'What a row of %s is known by does not change; make another one.', tg_table_name
  );
end
$$;

comment on function app.keep_identity() is 'Refuses to change what a row is known by';

create or replace trigger stores_keep_identity
  before update of org_id, id on public.stores
  for each row when ((new.org_id, new.id) is distinct from (old.org_id, old.id))
  execute function app.keep_identity();

create or replace trigger metric_definitions_keep_identity
  before update of org_id, key on public.metric_definitions
  for each row when ((new.org_id, new.key) is distinct from (old.org_id, old.key))
  execute function app.keep_identity();

reset role;
