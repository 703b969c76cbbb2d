-- Judges the events of a batch, and inserts those that pass, adding them up on the way. Where one is there already nothing is
-- inserted but unique_violation raised; then it is to be called again to answer the events and insert nothing.
--
--   p_series         see app.event_series
--   p_numbers to p_recorded_at   the events, see app.store_events
--   p_open_from      the earliest time that is taken; the latest is a day ahead
--   p_on_conflict    of two in one batch the first counts with 'ignore', the last with 'replace'
--   p_insert         whether to insert
--
-- Answers {"index", "code"} of what does not pass; of what does, added up for app.roll_up if it was inserted, or else the
-- events, each once.
--
-- In the order of the key in both cases. Any order would do that is everybody's; this one compares fastest.
--
-- Plans are kept whatever the arrays hold: planning anew costs more than it gains, since nothing is looked for by a constant. Nor
-- does such a plan know how many series there are: a loop over them for each event would take long where there are thousands.

set role tally_owner;

create or replace function app.judge_events(
  p_series app.event_series[],
  p_numbers integer[],
  p_ids text[],
  p_values text[],
  p_recorded_at timestamptz[],
  p_open_from timestamptz,
  p_on_conflict text,
  p_insert boolean,
  out p_errors jsonb,
  out p_parts app.rollup_part[],
  out p_events public.metric_events[]
)
  language plpgsql volatile set search_path = '' set plan_cache_mode = 'force_generic_plan' set enable_nestloop = off set jit = off
as $$
declare
  v_org_id constant uuid := app.org_id();
  -- Added up once, since it takes as long as all that is compared with it.
  v_open_until constant timestamptz := now() + interval '1 day';
begin
  with series as materialized (
    -- Their numbers begin with 1. Said here, it makes the plan hash them and not the events, so that these keep their order: what
    -- comes sorted is sorted at once.
    select s.* from unnest(p_series) as s where s.number > 0
  ),
  judged as materialized (
    select
      u.position, s.rollup, s.place, s.store_id, s.timezone, s.source, u.id, u.recorded_at, s.metric_key,
      u.value::numeric as value, s.currency, s.dimensions,
      case
        when s.code is not null then s.code
        when u.recorded_at not between p_open_from and v_open_until then 'out_of_range'
      end as code
    from unnest(p_numbers, p_ids, p_values, p_recorded_at) with ordinality as u(number, id, value, recorded_at, position)
    -- An event of no series is not to be passed over: it fails on a store that is missing.
    left join series s on s.number = u.number
  ),
  inserted as (
    insert into public.metric_events
    select
      v_org_id, j.store_id, j.source, j.id, j.recorded_at, j.metric_key, j.value, j.currency, j.dimensions, now()
    from judged j
    where p_insert and j.code is null
    order by j.place, j.id collate "C", j.recorded_at
  ),
  alike as (
    select
      j.rollup, date_bin('15 minutes', j.recorded_at, '2000-01-01Z') as quarter_hour,
      (j.recorded_at at time zone j.timezone)::date as day,
      count(*) as count, sum(j.value) as sum, min(j.value) as min, max(j.value) as max,
      max(array[extract(epoch from j.recorded_at), j.value]) as latest, max(j.recorded_at) as last_at
    from judged j
    where p_insert and j.code is null
    group by 1, 2, 3
  )
  select
    (
      select coalesce(jsonb_agg(jsonb_build_object('index', j.position - 1, 'code', j.code) order by j.position), '[]')
      from judged j
      where j.code is not null
    ),
    array(
      select row(
        1, s.store_id, s.timezone, s.metric_key, s.currency, s.rollup_dimensions, a.quarter_hour, a.day,
        a.count, a.sum, a.min, a.max, a.latest, a.last_at
      )::app.rollup_part
      from alike a
      join series s on s.number = a.rollup
    ),
    array(
      select distinct on (j.place, j.id collate "C", j.recorded_at)
        row(
          v_org_id, j.store_id, j.source, j.id, j.recorded_at, j.metric_key, j.value, j.currency, j.dimensions, now()
        )::public.metric_events
      from judged j
      where not p_insert and j.code is null
      order by j.place, j.id collate "C", j.recorded_at,
        case p_on_conflict when 'replace' then -j.position else j.position end
    )
  into p_errors, p_parts, p_events;
end
$$;

comment on function app.judge_events(
  app.event_series[], integer[], text[], text[], timestamptz[], timestamptz, text, boolean
) is 'Judges the events of a batch, and inserts those that pass';
grant execute on function app.judge_events(
  app.event_series[], integer[], text[], text[], timestamptz[], timestamptz, text, boolean
) to tally_ingest;

reset role;
