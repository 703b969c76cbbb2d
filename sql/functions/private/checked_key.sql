-- A key to encrypt credentials with, if it is one.
--
-- Errors: TH011.

set role tally_owner;

create or replace function private.checked_key(p_key text) returns text
  language plpgsql immutable set search_path = ''
as $$
begin
  if p_key is null or length(p_key) < 32 then
    raise exception using errcode = 'TH011', message = 'An encryption key of at least 32 characters is needed.';
  end if;
  return p_key;
end
$$;

comment on function private.checked_key(text) is 'A key to encrypt credentials with; TH011 if it is too short to be one';

reset role;
