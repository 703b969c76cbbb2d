-- A number in base 62, most significant digit first, padded with zeros to a width.

set role tally_owner;

create or replace function app.base62(p_number bigint, p_width integer) returns text
  language plpgsql immutable set search_path = ''
as $$
declare
  c_digits constant pg_catalog.text := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  v_rest bigint := p_number;
  v_result pg_catalog.text := '';
begin
  for v_digit in 1 .. p_width loop
    v_result := substr(c_digits, (v_rest % 62)::integer + 1, 1) || v_result;
    v_rest := v_rest / 62;
  end loop;
  return v_result;
end
$$;

comment on function app.base62(bigint, integer) is 'A number in base 62, padded to a width';

reset role;
