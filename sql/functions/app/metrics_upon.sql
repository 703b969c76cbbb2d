-- A metric and all that stand on it, directly or by way of others, as an organization sees them; null for the standard catalogue by
-- itself.

set role tally_owner;

create or replace function app.metrics_upon(p_org_id uuid, p_key text) returns setof text
  language sql stable set search_path = ''
as $$
  with recursive derived as materialized (
    select d.key, app.metric_parts(d.aggregation_method, d.metadata) as parts
    from (
      select distinct on (m.key) m.key, m.aggregation_method, m.metadata
      from public.metric_definitions m
      where m.org_id is null or m.org_id = p_org_id
      order by m.key, m.org_id nulls last
    ) as d
    where d.aggregation_method in ('ratio', 'formula')
  ),
  upon (key) as (
    select p_key
    union
    select d.key from upon u join derived d on u.key = any (d.parts)
  )
  select u.key from upon u
$$;

comment on function app.metrics_upon(uuid, text) is 'A metric and all that stand on it';
grant execute on function app.metrics_upon(uuid, text) to authenticated, service_role, tally_query;

reset role;
