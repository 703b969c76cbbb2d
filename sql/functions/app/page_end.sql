-- Where a page of a list ends, as its next_cursor: the time of its last entry in microseconds since 1970, and its id.

set role tally_owner;

create or replace function app.page_end(p_time timestamptz, p_id uuid) returns text
  language sql immutable set search_path = ''
  return (extract(epoch from p_time) * 1000000)::bigint || '.' || p_id;

comment on function app.page_end(timestamptz, uuid) is 'Where a page of a list ends, as its next_cursor';
grant execute on function app.page_end(timestamptz, uuid) to tally_ingest, tally_token_hook;

reset role;
