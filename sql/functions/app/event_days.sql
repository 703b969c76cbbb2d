-- The currencies and days of the money that percentiles are to be taken of after it is converted, as atoms without amounts.
--
-- Planned anew each time, with the range as constants: else it would lock every partition there is.

set role tally_owner;

create or replace function app.event_days(
  p_questions app.question[], p_ranges app.question_range[], p_parts app.question_part[]
) returns app.atom[]
  language plpgsql stable set search_path = ''
  set plan_cache_mode = 'force_custom_plan' set enable_nestloop = off set enable_mergejoin = off set jit = off
as $$
declare
  v_org_id constant uuid := app.org_id();
  v_from constant timestamptz := (select min(r.starts_at) from unnest(p_ranges) as r);
  v_to constant timestamptz := (select max(r.ends_at) from unnest(p_ranges) as r);
begin
  return array(
    with stretch as materialized (
      select p.question, p.key, s.id as store_id, s.timezone, r.starts_at, r.ends_at
      from unnest(p_parts) as p
      join unnest(p_questions) as q on q.number = p.question and q.currency is not null
      join unnest(p_ranges) as r on r.question = p.question
      cross join lateral unnest(q.stores) as u(id)
      join public.stores s on s.org_id = v_org_id and s.id = u.id
      where p.method = 'percentile' and p.is_money
    )
    select row(
      d.question, null, null, d.currency, d.day, null, null, null, null, null, null, null, null
    )::app.atom
    from (
      select distinct t.question, e.currency, (e.recorded_at at time zone t.timezone)::date as day
      from stretch t
      cross join lateral (
        select e.currency, e.recorded_at
        from public.metric_events e
        where e.org_id = v_org_id and e.store_id = t.store_id and e.metric_key = t.key
          and e.recorded_at >= v_from and e.recorded_at < v_to
          and e.recorded_at >= t.starts_at and e.recorded_at < t.ends_at
        offset 0
      ) as e
      where e.currency is not null
    ) as d
  );
end
$$;

comment on function app.event_days(app.question[], app.question_range[], app.question_part[]) is
  'The currencies and days of the money that percentiles are to be taken of after it is converted';
grant execute on function app.event_days(app.question[], app.question_range[], app.question_part[]) to tally_query;

reset role;
