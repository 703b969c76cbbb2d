-- The organization's claims for a token that is about to be made, by the hook over HTTP or by the one in the database. A
-- user never seen is provisioned first, if p_provision says so: the provider may ask for a token before it tells of the
-- sign-up, or never tell.
--
-- Null for a user without an organization, and for one who cannot be given one now: the provider asks inside the
-- transaction of the sign-up, which an error would undo. The next token tries again.

set role tally_owner;

create or replace function app.ensure_access_token_claims(
  p_user_id uuid, p_email text, p_profile jsonb, p_provision boolean
) returns jsonb
  language plpgsql volatile set search_path = ''
as $$
declare
  v_claims pg_catalog.jsonb := app.access_token_claims(p_user_id);
begin
  if v_claims is not null or p_provision is not true then
    return v_claims;
  end if;
  begin
    -- Tokens of one user, all of which end soon, wait for each other, so that none is without what another makes.
    perform pg_advisory_xact_lock(hashtextextended('users ' || p_user_id::pg_catalog.text, 0));
    perform app.provision_at_token(p_user_id, app.organization_name(p_profile, p_email));
  exception
    -- Another transaction is at it, and may be the very sign-up that waits for this token: not a failure.
    when lock_not_available then
      raise log 'user % has no organization yet: %', p_user_id, sqlerrm;
    when query_canceled or others then
      perform app.record_provisioning_failure(p_user_id, sqlstate, sqlerrm);
  end;
  return app.access_token_claims(p_user_id);
end
$$;

comment on function app.ensure_access_token_claims(uuid, text, jsonb, boolean) is
  'org_id and user_role for the token of a user, who is provisioned first if never seen; null without a membership';

reset role;
