-- Random base 62 digits from the server's strong source. Bytes of 248 and up are thrown away, or the first eight digits
-- would come more often than the others.

set role tally_owner;

create or replace function app.random_base62(p_length integer) returns text
  language plpgsql volatile set search_path = ''
as $$
declare
  v_bytes pg_catalog.bytea;
  v_result pg_catalog.text := '';
begin
  while length(v_result) < p_length loop
    v_bytes := uuid_send(gen_random_uuid());
    -- Bytes 6 and 8 of a version 4 UUID are not all random.
    for v_at in 9 .. 15 loop
      if get_byte(v_bytes, v_at) < 248 and length(v_result) < p_length then
        v_result := v_result || app.base62(get_byte(v_bytes, v_at) % 62, 1);
      end if;
    end loop;
  end loop;
  return v_result;
end
$$;

comment on function app.random_base62(integer) is 'Random base 62 digits';

reset role;
