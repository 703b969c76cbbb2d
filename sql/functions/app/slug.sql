-- A name as it can stand in a URL: lower case ASCII letters and digits, words joined by hyphens, at most 48 characters, so
-- that a suffix still fits into the 63 that a slug may have.

set role tally_owner;

create or replace function app.slug(p_name text) returns text
  language sql immutable set search_path = ''
as $$
  select coalesce(
    nullif(trim(both '-' from left(trim(both '-' from regexp_replace(lower(p_name), '[^a-z0-9]+', '-', 'g')), 48)), ''),
    'organization'
  )
$$;

comment on function app.slug(text) is 'A name as it can stand in a URL';

reset role;
