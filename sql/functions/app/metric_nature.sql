-- What a metric is as long as it has events: 'money' or 'number' by what these carry, 'derived' for one that has none. Null for no
-- definition. How the values of a bucket become one may change freely, since rollups keep all that is needed for each method.

set role tally_owner;

create or replace function app.metric_nature(p_definition public.metric_definitions) returns text
  language sql immutable parallel safe set search_path = ''
as $$
  select case
    when p_definition.aggregation_method in ('ratio', 'formula') then 'derived'
    when p_definition.unit = 'currency' then 'money'
    when p_definition.unit is not null then 'number'
  end
$$;

comment on function app.metric_nature(public.metric_definitions) is 'What a metric is as long as it has events';

reset role;
