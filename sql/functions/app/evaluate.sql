-- The value of a ratio or a formula.
--
--   p_metric    its program in reverse Polish notation: numbers, the positions of parts as #1, + - * / and ~ for minus
--   p_values    the values of the parts, null where there is none
--
-- Exact but for divisions, which are rounded to 12 places; over zero there is none.
--
-- Errors: TH006 a product has more than 200 digits before or after the decimal point.

set role tally_owner;

create or replace function app.evaluate(p_metric app.question_metric, p_values numeric[]) returns numeric
  language plpgsql immutable parallel safe set search_path = ''
as $$
declare
  -- One, with places: Postgres divides to 16 digits or to as many places as the numerator has, whichever is more.
  c_places constant numeric := 1.000000000000000000000000000000;
  c_max_digits constant integer := 200;
  v_stack numeric[] := '{}';
  v_top integer := 0;
  v_token text;
begin
  foreach v_token in array p_metric.program loop
    if v_token = '~' then
      v_stack[v_top] := -v_stack[v_top];
    elsif v_token in ('+', '-', '*', '/') then
      v_top := v_top - 1;
      v_stack[v_top] := case v_token
        when '+' then v_stack[v_top] + v_stack[v_top + 1]
        when '-' then v_stack[v_top] - v_stack[v_top + 1]
        when '*' then v_stack[v_top] * v_stack[v_top + 1]
        else round(v_stack[v_top] * c_places / nullif(v_stack[v_top + 1], 0), 12)
      end;
      -- Only a product has many more digits than its parts.
      if v_token = '*' and (scale(v_stack[v_top]) > c_max_digits or abs(v_stack[v_top]) >= 10.0 ^ c_max_digits) then
        raise exception using errcode = 'TH006', message = format(
          '%sa value of %s has more than %s digits before or after its decimal point', p_metric.label, p_metric.key, c_max_digits
        );
      end if;
    else
      v_top := v_top + 1;
      v_stack[v_top] := case when v_token like '#%' then p_values[substr(v_token, 2)::integer] else v_token::numeric end;
    end if;
  end loop;
  return v_stack[1];
end
$$;

comment on function app.evaluate(app.question_metric, numeric[]) is 'The value of a ratio or a formula';
grant execute on function app.evaluate(app.question_metric, numeric[]) to tally_query;

reset role;
