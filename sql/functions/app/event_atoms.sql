-- What stretches have in each bucket and group, so many at most, from events. Different values and percentiles are not to be put together from buckets:
-- see app.event_amounts.
--
-- Planned anew each time, with the range as constants: else it would lock every partition there is.

set role tally_owner;

create or replace function app.event_atoms(p_stretches app.stretch[], p_ranges app.question_range[], p_limit integer)
  returns app.atom[]
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_custom_plan'
  set enable_nestloop = off set enable_sort = off set enable_mergejoin = off set jit = off
as $$
declare
  v_org_id constant uuid := app.org_id();
  v_from constant timestamptz := (select min(s.starts_at) from unnest(p_stretches) as s where s.is_from_events and s.method not in ('distinct', 'percentile'));
  v_to constant timestamptz := (select max(s.ends_at) from unnest(p_stretches) as s where s.is_from_events and s.method not in ('distinct', 'percentile'));
begin
  return array(
    with found as (
      select
        t.question, t.range, t.part, coalesce(e.currency, '') as currency,
        case when t.currency is not null and e.currency is not null then (e.recorded_at at time zone t.timezone)::date end as day,
        case cardinality(t.group_by)
          when 0 then '[]'
          when 1 then jsonb_build_array(k.first)
          when 2 then jsonb_build_array(k.first, k.second)
          else jsonb_build_array(k.first, k.second, k.third)
        end as group_key,
        case when t.method = 'last' then jsonb_build_array(t.store_id, (
          select jsonb_object_agg(d.name, e.dimensions -> d.name) from unnest(t.dimensions) as d(name) where e.dimensions ? d.name
        )) end as level_key,
        e.recorded_at as at, e.value,
        case when t.method = 'last' then array[extract(epoch from e.recorded_at), e.value] end as latest
      from unnest(p_stretches) as t
      cross join lateral (
        select e.*
        from public.metric_events e
        where e.org_id = v_org_id and e.store_id = t.store_id and e.metric_key = t.key
          and e.recorded_at >= v_from and e.recorded_at < v_to
          and e.recorded_at >= t.starts_at and e.recorded_at < t.ends_at
        offset 0
      ) as e
      cross join lateral (
        select
          case t.group_by[1] when 'store' then to_jsonb(t.store_id) else e.dimensions -> t.group_by[1] end as first,
          case t.group_by[2] when 'store' then to_jsonb(t.store_id) else e.dimensions -> t.group_by[2] end as second,
          case t.group_by[3] when 'store' then to_jsonb(t.store_id) else e.dimensions -> t.group_by[3] end as third
      ) as k
      where t.is_from_events and t.method not in ('distinct', 'percentile') and (t.filter is null or e.dimensions @@ t.filter)
    )
    select row(
      f.question, f.range, f.part, f.currency, f.day, f.group_key, b.number, f.level_key,
      count(*), sum(f.value), min(f.value), max(f.value), max(f.latest)
    )::app.atom
    from found f
    join unnest(p_ranges) as g on g.question = f.question and g.range = f.range
    cross join lateral (select width_bucket(f.at, g.starts) as number) as b
    group by f.question, f.range, f.part, f.currency, f.day, f.group_key, b.number, f.level_key
    limit p_limit
  );
end
$$;

comment on function app.event_atoms(app.stretch[], app.question_range[], integer) is
  'What stretches have in each bucket and group, from events';
grant execute on function app.event_atoms(app.stretch[], app.question_range[], integer) to tally_query;

reset role;
