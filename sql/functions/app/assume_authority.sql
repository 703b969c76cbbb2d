-- Takes the authority of a request into the transaction: every policy reads it from there.
--
-- p_authority is what the HTTP function verified, as JSON: the claims of an access token
-- ({"sub", "org_id", "user_role"}) or the hash of an API key ({"api_key_hash"}). A member's role is read anew by
-- app.claims(), so that one who was removed or demoted loses the right at once and not when the token ends; a token that
-- says less than the membership counts for what it says.
--
-- Errors: TH001 no such key, TH002 no longer a member.

set role tally_owner;

create or replace function app.assume_authority(p_authority text) returns void
  language plpgsql volatile set search_path = ''
as $$
declare
  v_given constant jsonb := p_authority::jsonb;
  v_claims jsonb;
begin
  if v_given ? 'api_key_hash' then
    v_claims := app.api_key_claims(v_given ->> 'api_key_hash');
    if v_claims is null then
      raise exception using errcode = 'TH001', message = 'no such API key, or it is revoked or expired';
    end if;
  else
    -- Unchecked, whatever stood there before.
    perform set_config('tally.authority', '', true), set_config('request.jwt.claims', p_authority, true);
    v_claims := app.claims();
    if not v_claims ? 'org_id' then
      raise exception using errcode = 'TH002', message = 'not a member of the organization of the token';
    end if;
  end if;
  -- The same text twice says that these claims are checked (app.claims).
  perform set_config('request.jwt.claims', v_claims::text, true), set_config('tally.authority', v_claims::text, true);
end
$$;

comment on function app.assume_authority(text) is
  'Sets request.jwt.claims for this transaction from what the HTTP function verified';
grant execute on function app.assume_authority(text) to tally_ingest, tally_query, tally_token_hook;

reset role;
