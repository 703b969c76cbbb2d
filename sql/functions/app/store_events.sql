-- Judges events, inserts them, restates those that are there already if that is asked for, and rolls up: each event once,
-- however often it is sent.
--
-- What many events of a batch have in common comes once, as a series: store, source, metric, currency and dimensions. So stores
-- and definitions are looked up, and dimensions parsed, a few times and not for every event. Arrays of one length each; the
-- caller has checked that each value can be cast.
--
--   p_store_ids, p_external_ids, p_sources, p_metrics, p_currencies, p_dimensions   the series
--   p_series, p_ids, p_values, p_recorded_at                                        the events; a series counts from 1
--   p_on_conflict  what becomes of an event that is there already, by store, source, id and time: 'ignore' keeps the one
--                  that is there, 'replace' gives it the metric, value, currency and dimensions of the new one. Of two in
--                  one batch the first counts with 'ignore', the last with 'replace'.
--
-- Answers {"accepted", "duplicates", "replaced", "errors": [{"index", "code"}]}, index counting from 0 within the events;
-- every event is in one of the four. Codes: see app.explain_rejection.
--
-- A key that is tied to a store implies it. A value of money without a currency is in the store's own; what is no money
-- has none, whatever the event says.
--
-- Locks, always in this order, so that concurrent batches wait for each other and never deadlock: events, inserted in the
-- order of the key; events, restated in the order of the key; rollups, in the order of the key.
--
-- Plans are kept whatever the arrays hold: planning anew costs more than it gains, since nothing is looked for by a constant.
--
-- Errors: TH008 from app.ensure_months.

set role tally_owner;

create or replace function app.store_events(
  p_store_ids text[],
  p_external_ids text[],
  p_sources text[],
  p_metrics text[],
  p_currencies text[],
  p_dimensions text[],
  p_series integer[],
  p_ids text[],
  p_values text[],
  p_recorded_at text[],
  p_on_conflict text
) returns jsonb
  language plpgsql volatile set search_path = '' set plan_cache_mode = 'force_generic_plan'
as $$
declare
  v_org_id constant uuid := app.org_id();
  v_key_store_id constant uuid := app.key_store_id();
  v_open_from timestamptz;
  v_errors jsonb;
  v_months date[];
  v_events public.metric_events[];
  v_inserted public.metric_events[];
  v_before public.metric_events[] := '{}';
  v_after public.metric_events[] := '{}';
begin
  -- In a statement of its own, before stores are read: it waits for who closes months or removes a store.
  v_open_from := greatest(app.closed_before(v_org_id), '1970-01-01Z');

  -- Under row-level security an index is searched by what needs no working out only: so ids are worked out before. And each
  -- store by itself (offset 0), since how many stores this organization has, a plan does not know.
  with told as materialized (
    select
      u.position as series, u.external_id, u.source, u.metric, u.currency, u.dimensions,
      coalesce(u.store_id::uuid, case when u.external_id is null then v_key_store_id end) as store_id
    from unnest(p_store_ids, p_external_ids, p_sources, p_metrics, p_currencies, p_dimensions)
      with ordinality as u(store_id, external_id, source, metric, currency, dimensions, position)
  ),
  identified as materialized (
    select t.*, coalesce(x.id, t.store_id) as id
    from told t
    left join lateral (
      select x.id from public.stores x where x.org_id = v_org_id and x.external_id = t.external_id offset 0
    ) as x on true
  ),
  series as materialized (
    select
      i.series, s.id as store_id, i.source, i.metric, i.dimensions::jsonb as dimensions,
      case when d.unit = 'currency' then coalesce(i.currency, s.currency) end as currency,
      dense_rank() over (order by s.id, i.source collate "C") as place,
      case
        when i.store_id is null and i.external_id is null then 'store_required'
        when s.id is null then 'unknown_store'
        when d.key is null then 'unknown_metric'
        when d.aggregation_method = 'ratio' then 'derived_metric'
      end as code
    from identified i
    left join lateral (
      select s.id, s.currency from public.stores s where s.org_id = v_org_id and s.id = i.id offset 0
    ) as s on true
    left join app.metrics d on d.key = i.metric
  ),
  judged as materialized (
    select
      e.position, s.store_id, s.source, s.place, e.id, e.recorded_at, s.metric, e.value, s.currency, s.dimensions,
      case
        when s.code is not null then s.code
        when e.recorded_at not between v_open_from and now() + interval '1 day' then 'out_of_range'
      end as code
    from (
      select u.series, u.id, u.value::numeric as value, u.recorded_at::timestamptz as recorded_at, u.position
      from unnest(p_series, p_ids, p_values, p_recorded_at) with ordinality as u(series, id, value, recorded_at, position)
      offset 0 -- so that each is cast once
    ) as e
    join series s on s.series = e.series
  )
  select
    (
      select coalesce(jsonb_agg(jsonb_build_object('index', j.position - 1, 'code', j.code) order by j.position), '[]')
      from judged j
      where j.code is not null
    ),
    -- By days first, which are cheaper to tell and few.
    array(
      select distinct date_trunc('month', d.day at time zone 'UTC')::date
      from (select distinct date_bin('1 day', j.recorded_at, 'epoch') as day from judged j where j.code is null) as d
    ),
    -- Each once and in the order of the key. Any order would do that is everybody's; this one compares fastest.
    array(
      select distinct on (j.place, j.id collate "C", j.recorded_at)
        row(
          v_org_id, j.store_id, j.source, j.id, j.recorded_at, j.metric, j.value, j.currency, j.dimensions, now()
        )::public.metric_events
      from judged j
      where j.code is null
      order by j.place, j.id collate "C", j.recorded_at,
        case p_on_conflict when 'replace' then -j.position else j.position end
    )
  into v_errors, v_months, v_events;

  -- Before the statement that needs them: a partition cannot come under a running insert.
  perform app.ensure_months(v_months);
  v_inserted := app.insert_events(v_events, p_on_conflict = 'ignore');
  if p_on_conflict = 'replace' and cardinality(v_inserted) < cardinality(v_events) then
    select r.p_before, r.p_after into v_before, v_after from app.restate_events(v_events) as r;
    perform app.record_changes('replaced', v_before, v_after);
    perform app.roll_up(v_inserted || v_after, v_before, v_open_from);
  else
    perform app.roll_up(v_inserted, '{}', v_open_from);
  end if;

  return jsonb_build_object(
    'accepted', cardinality(v_inserted),
    'duplicates', cardinality(p_ids) - jsonb_array_length(v_errors) - cardinality(v_inserted) - cardinality(v_after),
    'replaced', cardinality(v_after),
    'errors', v_errors
  );
end
$$;

comment on function app.store_events(
  text[], text[], text[], text[], text[], text[], integer[], text[], text[], text[], text
) is 'Judges events, inserts or restates them, and rolls up';
grant execute on function app.store_events(
  text[], text[], text[], text[], text[], text[], integer[], text[], text[], text[], text
) to tally_ingest;

reset role;
