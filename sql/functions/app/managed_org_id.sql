-- The organization that the user of the request manages.
--
-- Errors: TH003 the user manages none.

set role tally_owner;

create or replace function app.managed_org_id() returns uuid
  language plpgsql stable set search_path = ''
as $$
begin
  if not app.is_manager() then
    raise exception using errcode = 'TH003', message = 'Only an owner or admin of the organization may do this.';
  end if;
  return app.org_id();
end
$$;

comment on function app.managed_org_id() is 'The organization that the user of the request manages; TH003 without one';
grant execute on function app.managed_org_id() to tally_token_hook, tally_query;

reset role;
