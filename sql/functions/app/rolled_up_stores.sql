-- The stores that have rollups of a metric, as it is defined by an organization, or by the standard catalogue (null): then of those
-- organizations that have no definition of their own.
--
-- Where an organization goes with its definitions, it is gone already.

set role tally_owner;

create or replace function app.rolled_up_stores(p_org_id uuid, p_metric_key text)
  returns table (org_id uuid, store_id uuid)
  language plpgsql stable set search_path = ''
as $$
begin
  if p_org_id is not null then
    return query
      select s.org_id, s.id
      from public.organizations o
      join public.stores s on s.org_id = o.id
      where o.id = p_org_id
        and exists (
          select from public.metric_rollups r where r.org_id = s.org_id and r.store_id = s.id and r.metric_key = p_metric_key
        );
  else
    return query
      select s.org_id, s.id
      from public.stores s
      where not exists (select from public.metric_definitions d where d.org_id = s.org_id and d.key = p_metric_key)
        and exists (
          select from public.metric_rollups r where r.org_id = s.org_id and r.store_id = s.id and r.metric_key = p_metric_key
        );
  end if;
end
$$;

comment on function app.rolled_up_stores(uuid, text) is 'The stores that have rollups of a metric by one definition';

reset role;
