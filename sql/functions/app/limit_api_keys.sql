-- An organization has at most 1,000 API keys that are not revoked, whichever way they come. Keys of one organization are
-- added one after the other, so that two cannot both be the last one.
--
-- Errors: TH021 too many keys.

set role tally_owner;

create or replace function app.limit_api_keys() returns trigger
  language plpgsql volatile set search_path = ''
as $$
declare
  c_max_keys constant integer := 1000;
begin
  perform pg_advisory_xact_lock(hashtextextended('api_keys ' || new.org_id::pg_catalog.text, 0));
  if (select count(*) from public.api_keys k where k.org_id = new.org_id and k.revoked_at is null) > c_max_keys then
    raise exception using errcode = 'TH021', message = format(
      'An organization has at most %s API keys that are not revoked, expired ones too: revoke those that nobody needs.',
      c_max_keys
    );
  end if;
  return null;
end
$$;

comment on function app.limit_api_keys() is 'Keeps an organization to 1,000 API keys that are not revoked';

create or replace trigger api_keys_limit
  after insert or update of revoked_at on public.api_keys
  for each row when (new.revoked_at is null)
  execute function app.limit_api_keys();

reset role;
