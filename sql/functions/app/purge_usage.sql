-- Deletes what was counted of organizations that are gone: a batch may count after its organization was removed.

set role tally_owner;

create or replace function app.purge_usage() returns void
  language sql volatile set search_path = ''
as $$
  delete from app.ingest_usage u where not exists (select from public.organizations o where o.id = u.org_id)
$$;

comment on function app.purge_usage() is 'Deletes what was counted of organizations that are gone';

reset role;
