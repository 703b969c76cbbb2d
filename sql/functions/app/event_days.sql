-- The currencies and days of the money that percentiles are to be taken of after it is converted, as atoms without amounts.
--
-- Planned anew each time, with the range as constants: else it would lock every partition there is.

set role tally_owner;

create or replace function app.event_days(p_stretches app.stretch[]) returns app.atom[]
  language plpgsql stable set search_path = ''
  set plan_cache_mode = 'force_custom_plan' set enable_nestloop = off set enable_mergejoin = off set jit = off
as $$
declare
  v_org_id constant uuid := app.org_id();
  v_from constant timestamptz := (select min(s.starts_at) from unnest(p_stretches) as s where s.method = 'percentile');
  v_to constant timestamptz := (select max(s.ends_at) from unnest(p_stretches) as s where s.method = 'percentile');
begin
  return array(
    select row(
      d.question, null, null, d.currency, d.day, null, null, null, null, null, null, null, null
    )::app.atom
    from (
      select distinct t.question, e.currency, (e.recorded_at at time zone t.timezone)::date as day
      from unnest(p_stretches) as t
      cross join lateral (
        select e.currency, e.recorded_at, e.dimensions
        from public.metric_events e
        where e.org_id = v_org_id and e.store_id = t.store_id and e.metric_key = t.key
          and e.recorded_at >= v_from and e.recorded_at < v_to
          and e.recorded_at >= t.starts_at and e.recorded_at < t.ends_at
        offset 0
      ) as e
      where t.method = 'percentile' and t.currency is not null and e.currency is not null
        and (t.filter is null or e.dimensions @@ t.filter)
    ) as d
  );
end
$$;

comment on function app.event_days(app.stretch[]) is
  'The currencies and days of the money that percentiles are to be taken of after it is converted';
grant execute on function app.event_days(app.stretch[]) to tally_query;

reset role;
