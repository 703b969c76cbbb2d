-- Adds up events for app.roll_up: those that are alike in all that tells rollups apart, in a quarter hour of a local day.
--
--   p_sign  1 where the events were added, -1 where they were taken away
--
-- For events that were changed or partly there already; new ones are added up where they are inserted (app.judge_events).
--
-- How many events there are, a plan that is kept does not know: it would sort a handful where there are thousands to be put
-- together, which takes longer than all the rest. A plan that avoids sorting looks so dear that it would be compiled: hence
-- no jit.

set role tally_owner;

create or replace function app.rollup_parts(p_events public.metric_events[], p_sign integer) returns app.rollup_part[]
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_generic_plan' set enable_sort = off set jit = off
as $$
declare
  v_org_id constant uuid := app.org_id();
begin
  return array(
    with store as materialized (
      select s.id, s.timezone
      from (select distinct e.store_id from unnest(p_events) as e) as d
      cross join lateral (
        select s.id, s.timezone from public.stores s where s.org_id = v_org_id and s.id = d.store_id offset 0
      ) as s
    ),
    alike as materialized (
      select
        e.store_id, s.timezone, e.metric_key, e.currency, e.dimensions,
        date_bin('15 minutes', e.recorded_at, '2000-01-01Z') as quarter_hour,
        (e.recorded_at at time zone s.timezone)::date as day,
        count(*) as count, sum(e.value) as sum, min(e.value) as min, max(e.value) as max,
        max(array[extract(epoch from e.recorded_at), e.value]) as latest, max(e.recorded_at) as last_at
      from unnest(p_events) as e
      join store s on s.id = e.store_id
      group by 1, 2, 3, 4, 5, 6, 7
    )
    select row(
      p_sign, a.store_id, a.timezone, a.metric_key, a.currency,
      (
        select coalesce(jsonb_object_agg(declared.name, a.dimensions -> declared.name), '{}')
        from jsonb_array_elements_text(d.metadata -> 'rollup_dimensions') as declared(name)
        where a.dimensions ? declared.name
      ),
      a.quarter_hour, a.day, a.count, a.sum, a.min, a.max, a.latest, a.last_at
    )::app.rollup_part
    from alike a
    left join app.metrics d on d.key = a.metric_key
  );
end
$$;

comment on function app.rollup_parts(public.metric_events[], integer) is 'Adds up events for app.roll_up';
grant execute on function app.rollup_parts(public.metric_events[], integer) to tally_ingest;

reset role;
