-- The place of a kind of value in the order of groups: null, texts, numbers, false, true.

set role tally_owner;

create or replace function app.value_kind(p_value jsonb) returns integer
  language plpgsql immutable set search_path = ''
as $$
begin
  return case jsonb_typeof(p_value)
    when 'null' then 0
    when 'string' then 1
    when 'number' then 2
    else case p_value when 'false' then 3 else 4 end
  end;
end
$$;

comment on function app.value_kind(jsonb) is 'The place of a kind of value in the order of groups';
grant execute on function app.value_kind(jsonb) to tally_query;

reset role;
