-- The ratios that an organization sees, its own before the standard ones, and why one cannot be answered, if it cannot. Null
-- for the standard catalogue by itself.
--
-- A ratio stands on two metrics that are no ratios. Its unit follows from them: money over a plain number is money,
-- everything else is a plain quotient.

set role tally_owner;

create or replace function app.ratio_faults(p_org_id uuid)
  returns table (key text, numerator text, denominator text, fault text)
  language sql stable set search_path = ''
as $$
  with definition as (
    select distinct on (d.key)
      d.key, d.unit, d.aggregation_method, d.metadata ->> 'numerator' as numerator, d.metadata ->> 'denominator' as denominator
    from public.metric_definitions d
    where d.org_id is null or d.org_id = p_org_id
    order by d.key, d.org_id nulls last
  )
  select
    r.key, r.numerator, r.denominator,
    case
      when n.key is null then format('The ratio %s needs the metric %s, which does not exist.', r.key, r.numerator)
      when d.key is null then format('The ratio %s needs the metric %s, which does not exist.', r.key, r.denominator)
      when n.aggregation_method = 'ratio' then format('The ratio %s cannot stand on %s, which is a ratio too.', r.key, n.key)
      when d.aggregation_method = 'ratio' then format('The ratio %s cannot stand on %s, which is a ratio too.', r.key, d.key)
      when r.unit <> u.unit then
        format('The ratio %s of %s (%s) and %s (%s) has the unit %s.', r.key, n.key, n.unit, d.key, d.unit, u.unit)
    end
  from definition r
  left join definition n on n.key = r.numerator
  left join definition d on d.key = r.denominator
  cross join lateral (
    select case when n.unit = 'currency' and d.unit <> 'currency' then 'currency' else 'ratio' end
  ) as u(unit)
  where r.aggregation_method = 'ratio'
$$;

comment on function app.ratio_faults(uuid) is 'The ratios that an organization sees, and why one cannot be answered';
grant execute on function app.ratio_faults(uuid) to authenticated, service_role, tally_query;

reset role;
