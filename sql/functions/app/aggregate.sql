-- The value of a bucket from its parts, by the method of the definition. An average is exact to 12 places. For `last` the sum
-- is that of the last values, and there is none where nothing was reported: a level that nobody told is not 0.

set role tally_owner;

create or replace function app.aggregate(
  p_method text, p_sum numeric, p_count numeric, p_min numeric, p_max numeric
) returns numeric
  language sql immutable parallel safe set search_path = ''
as $$
  select case p_method
    when 'sum' then coalesce(p_sum, 0)
    when 'count' then coalesce(p_count, 0)
    when 'avg' then round(p_sum / nullif(p_count, 0), 12)
    when 'min' then p_min
    when 'max' then p_max
    when 'last' then p_sum
  end
$$;

comment on function app.aggregate(text, numeric, numeric, numeric, numeric) is 'The value of a bucket from its parts';
grant execute on function app.aggregate(text, numeric, numeric, numeric, numeric) to tally_query;

reset role;
