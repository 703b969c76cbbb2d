-- The derived metrics, ratios and formulas, that an organization cannot be answered, and why; of its own definitions before the
-- standard ones. Null for the standard catalogue by itself.
--
-- A derived metric stands on metrics that exist, derived or not, and never on itself: at most 8 deep, and on at most 20 that have
-- events. Written out down to these a formula has at most 1,000 tokens, since each that is named twice can hold two named twice.
-- The unit of a ratio follows from its sides: money over what is no money is money, everything else is a plain quotient. A formula
-- says itself what comes out; money needs some money in it.
--
-- Those whose fault is their own come before those that stand on one.
--
-- Goes up from the metrics that have events, one step at a time: what a step finds are those whose parts were all found before.

set role tally_owner;

create or replace function app.definition_faults(p_org_id uuid) returns table (key text, fault text)
  language plpgsql stable set search_path = ''
as $$
declare
  c_max_depth constant integer := 8;
  c_max_bases constant integer := 20;
  c_max_tokens constant integer := 1000;
  -- What is seen of definitions, by key; parts are there for derived ones only.
  v_definitions jsonb;
  v_found jsonb;
  v_step jsonb;
  -- Those found in a step beyond the deepest.
  v_too_deep jsonb := '{}';
begin
  with definition as materialized (
    select distinct on (d.key) d.key, d.unit, d.aggregation_method as method, d.metadata
    from public.metric_definitions d
    where d.org_id is null or d.org_id = p_org_id
    order by d.key, d.org_id nulls last
  ),
  derived as materialized (
    select d.*, app.metric_parts(d.method, d.metadata) as parts
    from definition d
    where d.method in ('ratio', 'formula')
  )
  select
    jsonb_object_agg(d.key, jsonb_build_object('unit', d.unit) || case
      when v.key is null then '{}'
      else jsonb_build_object('method', d.method, 'parts', v.parts, 'others', case
        when d.method = 'ratio' then 1
        else (select count(*) from regexp_matches(d.metadata ->> 'formula', '\m[0-9]+(?:\.[0-9]+)?|[-+*/]', 'g'))
      end)
    end),
    jsonb_object_agg(d.key, jsonb_build_object('bases', array[d.key], 'tokens', 1)) filter (where v.key is null)
  into v_definitions, v_found
  from definition d
  left join derived v on v.key = d.key
  where v.key is not null or d.key in (select unnest(p.parts) from derived p);

  for v_depth in 1 .. c_max_depth + 1 loop
    select jsonb_object_agg(d.key, jsonb_build_object('bases', b.bases, 'tokens', b.tokens + (d.seen ->> 'others')::bigint))
    into v_step
    from jsonb_each(v_definitions) as d(key, seen)
    cross join lateral (
      select
        (
          select jsonb_agg(distinct base.key)
          from jsonb_array_elements_text(d.seen -> 'parts') as part(key),
            jsonb_array_elements(v_found -> part.key -> 'bases') as base(key)
        ) as bases,
        (
          select sum((v_found -> part.key ->> 'tokens')::bigint) from jsonb_array_elements_text(d.seen -> 'parts') as part(key)
        ) as tokens
    ) as b
    where d.seen ? 'parts' and not v_found ? d.key
      and v_found ?& array(select jsonb_array_elements_text(d.seen -> 'parts'));
    exit when v_step is null;
    if v_depth > c_max_depth then
      v_too_deep := v_step;
    else
      v_found := v_found || v_step;
    end if;
  end loop;

  return query
  with recursive derived as materialized (
    select
      d.key, d.seen ->> 'method' as method, d.seen ->> 'unit' as unit, v_found -> d.key as found,
      array(select jsonb_array_elements_text(d.seen -> 'parts')) as parts
    from jsonb_each(v_definitions) as d(key, seen)
    where d.seen ? 'parts'
  ),
  -- Of each that was not found one part that was not, and where that leads to.
  lost as materialized (
    select d.key, p.part, not v_definitions ? p.part as is_missing
    from derived d
    cross join lateral (
      select u.part from unnest(d.parts) with ordinality as u(part, position)
      where not v_found ? u.part
      order by v_definitions ? u.part, u.position
      limit 1
    ) as p
    where d.found is null and not v_too_deep ? d.key
  ),
  way (start, key) as (
    select l.key, l.part from lost l where not l.is_missing
    union
    select w.start, l.part from way w join lost l on l.key = w.key
  ),
  judged as (
    select
      d.key,
      case
        when v_too_deep ? d.key then format('is more than %s deep', c_max_depth)
        when l.is_missing then format('needs the metric %s, which does not exist', l.part)
        when exists (select from way w where w.start = d.key and w.key = d.key) then 'stands on itself'
        when l.key is not null then format('needs the metric %s, which cannot be answered itself', l.part)
        when jsonb_array_length(d.found -> 'bases') > c_max_bases then
          format('stands on more than %s metrics that have events', c_max_bases)
        when (d.found ->> 'tokens')::bigint > c_max_tokens then
          format('has more than %s tokens when all that it stands on is written out', c_max_tokens)
        when d.method = 'ratio' and d.unit <> s.unit then format(
          'of %s (%s) and %s (%s) has the unit %s',
          d.parts[1], v_definitions -> d.parts[1] ->> 'unit', d.parts[2], v_definitions -> d.parts[2] ->> 'unit', s.unit
        )
        when d.method = 'formula' and d.unit = 'currency' and not exists (
          select from jsonb_array_elements_text(d.found -> 'bases') as base(key)
          where v_definitions -> base.key ->> 'unit' = 'currency'
        ) then 'is no money, since it stands on none'
      end as fault,
      d.method, l.key is not null and not l.is_missing as is_behind
    from derived d
    left join lost l on l.key = d.key
    cross join lateral (
      select case
        when v_definitions -> d.parts[1] ->> 'unit' = 'currency' and v_definitions -> d.parts[2] ->> 'unit' <> 'currency'
        then 'currency'
        else 'ratio'
      end as unit
    ) as s
  )
  select j.key, format('The %s %s %s.', j.method, j.key, j.fault)
  from judged j
  where j.fault is not null
  order by j.is_behind, j.key;
end
$$;

comment on function app.definition_faults(uuid) is 'The derived metrics that an organization cannot be answered, and why';
grant execute on function app.definition_faults(uuid) to authenticated, service_role, tally_query;

reset role;
