-- What the files of tests/sql find in their database. It stands in a schema of its own, so that what they say of `public` stays
-- true.

create schema tap;
create extension pgtap schema tap;
grant usage on schema tap to public;

-- How many rows a statement reaches, as whoever asks.
create function tap.changed(p_statement text) returns integer language plpgsql as $$
declare
  v_count integer;
begin
  execute p_statement;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;
