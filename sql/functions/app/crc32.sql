-- CRC-32 as zlib and IEEE 802.3 have it, of the UTF-8 bytes of a text.

set role tally_owner;

create or replace function app.crc32(p_text text) returns bigint
  language plpgsql immutable set search_path = ''
as $$
declare
  v_bytes constant pg_catalog.bytea := convert_to(p_text, 'UTF8');
  v_crc bigint := 4294967295;
begin
  for v_at in 0 .. length(v_bytes) - 1 loop
    v_crc := v_crc # get_byte(v_bytes, v_at);
    for v_bit in 1 .. 8 loop
      v_crc := case when v_crc & 1 = 1 then (v_crc >> 1) # 3988292384 else v_crc >> 1 end;
    end loop;
  end loop;
  return v_crc # 4294967295;
end
$$;

comment on function app.crc32(text) is 'CRC-32 of the UTF-8 bytes of a text';

reset role;
