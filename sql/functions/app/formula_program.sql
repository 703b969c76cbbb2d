-- A formula in reverse Polish notation: numbers as they were written, keys of metrics, the operators + - * /, and ~ for a leading
-- minus. '(gross_revenue - 0.5) / orders' is {gross_revenue,0.5,-,orders,/}.
--
-- * and / bind stronger than + and -, a leading minus stronger than both; of equals the left one comes first. Numbers are decimals
-- of at most 18 digits before the point and 12 after it. At most 50 tokens, parentheses included, and 20 different keys.
--
-- Errors: TH023 what is wrong, and at which character, counting from 1.

set role tally_owner;

create or replace function app.formula_program(p_formula text) returns text[]
  language plpgsql immutable strict parallel safe set search_path = ''
as $$
declare
  c_max_tokens constant integer := 50;
  c_max_keys constant integer := 20;
  v_strength constant jsonb := '{"+": 1, "-": 1, "*": 2, "/": 2, "~": 3}';
  v_token text;
  v_position integer := 1;
  v_tokens integer := 0;
  v_needs_value boolean := true;
  v_program text[] := '{}';
  -- Operators and open parentheses that wait for what is to their right, the last one first.
  v_waiting text[] := '{}';
  v_fault text;
begin
  loop
    v_position := v_position + length(substring(substr(p_formula, v_position) from '^[ \t\r\n]*'));
    exit when v_position > length(p_formula);
    v_token := substring(substr(p_formula, v_position) from '^(?:[a-z][a-z0-9_]*|[0-9]+(?:\.[0-9]+)?|[-+*/()])');
    v_tokens := v_tokens + 1;
    v_fault := case
      when v_token is null then format('%s is no part of a formula', quote_literal(substr(p_formula, v_position, 1)))
      when v_tokens > c_max_tokens then format('there are more than %s numbers, keys and signs', c_max_tokens)
      when v_token ~ '^[a-z]' and length(v_token) > 63 then 'a key has at most 63 characters'
      when v_token ~ '^[0-9]' and v_token !~ '^[0-9]{1,18}(\.[0-9]{1,12})?$' then
        'a number has at most 18 digits before the point and 12 after it'
      when v_needs_value and v_token !~ '^[-(a-z0-9]' then format('a value is needed before %s', v_token)
      when not v_needs_value and v_token !~ '^[-+*/)]' then format('an operator is needed before %s', v_token)
      when v_token = ')' and not '(' = any (v_waiting) then 'no parenthesis is open'
    end;
    exit when v_fault is not null;

    if v_token ~ '^[a-z0-9]' then
      v_program := v_program || v_token;
      v_needs_value := false;
    elsif v_needs_value then
      v_waiting := case v_token when '-' then '~' else v_token end || v_waiting;
    else
      while cardinality(v_waiting) > 0 and v_waiting[1] <> '('
        and (v_token = ')' or (v_strength -> v_waiting[1])::integer >= (v_strength -> v_token)::integer)
      loop
        v_program := v_program || v_waiting[1];
        v_waiting := v_waiting[2:];
      end loop;
      v_waiting := case when v_token = ')' then v_waiting[2:] else v_token || v_waiting end;
      v_needs_value := v_token <> ')';
    end if;
    v_position := v_position + length(v_token);
  end loop;

  v_fault := coalesce(v_fault, case
    when v_needs_value then 'a value is needed at the end'
    when '(' = any (v_waiting) then 'a parenthesis is not closed'
    when not p_formula ~ '[a-z]' then 'it names no metric'
    when (select count(distinct p.token) from unnest(v_program) as p(token) where p.token ~ '^[a-z]') > c_max_keys then
      format('it names more than %s metrics', c_max_keys)
  end);
  if v_fault is not null then
    raise exception using errcode = 'TH023', message = format('The formula is wrong at character %s: %s.', v_position, v_fault);
  end if;
  return v_program || v_waiting;
end
$$;

comment on function app.formula_program(text) is 'A formula in reverse Polish notation';
grant execute on function app.formula_program(text) to authenticated, service_role, tally_query;

reset role;
