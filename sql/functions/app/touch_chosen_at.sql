-- chosen_at says when a user last chose an organization, not when the first time.

set role tally_owner;

create or replace function app.touch_chosen_at() returns trigger
  language plpgsql volatile set search_path = ''
as $$
begin
  new.chosen_at := now();
  return new;
end
$$;

comment on function app.touch_chosen_at() is 'Keeps chosen_at';

create or replace trigger active_organizations_touch_chosen_at
  before update on public.active_organizations
  for each row execute function app.touch_chosen_at();

reset role;
