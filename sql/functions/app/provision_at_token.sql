-- app.provision_user for a user whose token is being made. It hardly waits for others: the transaction that it meets may be the
-- very sign-up that waits for this token, and over HTTP the tokens of others wait on the same connection. 50 ms are enough for
-- one that is about to end.

set role tally_owner;

create or replace function app.provision_at_token(p_user_id uuid, p_organization_name text) returns boolean
  language sql volatile set search_path = '' set lock_timeout = '50ms'
as $$
  select app.provision_user(p_user_id, p_organization_name)
$$;

comment on function app.provision_at_token(uuid, text) is
  'Provisions a user whose token is being made, or gives up after 50 ms; true when it made something';

reset role;
