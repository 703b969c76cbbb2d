-- The metrics that a definition stands on, as often as it names them, of a formula whose form was checked when it was written. None
-- for one that has events.

set role tally_owner;

create or replace function app.metric_parts(p_method text, p_metadata jsonb) returns text[]
  language sql immutable parallel safe set search_path = ''
as $$
  select case p_method
    when 'ratio' then array[p_metadata ->> 'numerator', p_metadata ->> 'denominator']
    when 'formula' then array(
      -- No other part of a formula has letters.
      select m.found[1] from regexp_matches(p_metadata ->> 'formula', '[a-z][a-z0-9_]*', 'g') as m(found)
    )
    else '{}'
  end
$$;

comment on function app.metric_parts(text, jsonb) is 'The metrics that a definition stands on, as often as it names them';
grant execute on function app.metric_parts(text, jsonb) to authenticated, service_role, tally_query;

reset role;
