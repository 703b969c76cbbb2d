-- POST /v1/events: authorise, judge, insert, restate, roll up, count; all or nothing, and once for each event however often
-- it is sent.
--
-- A batch comes as columns, one array a field, all of one length; the caller has checked that each value can be cast.
--
--   p_on_conflict  what becomes of an event that is there already, by store, source, id and time: 'ignore' keeps the one
--                  that is there, 'replace' gives it the metric, value, currency and dimensions of the new one. Of two in
--                  one batch the first counts with 'ignore', the last with 'replace'.
--
-- Answers {"accepted", "duplicates", "replaced", "errors": [{"index", "code"}]}, index counting from 0 within the arrays;
-- every event is in one of the four. Codes: store_required, unknown_store (also for a store of somebody else),
-- unknown_metric, derived_metric (a ratio, which has no events), out_of_range (before 1970, in a closed month, or more than
-- a day ahead).
--
-- A key that is tied to a store implies it. A value of money without a currency is in the store's own; what is no money
-- has none, whatever the event says.
--
-- Locks, always in this order, so that concurrent batches wait for each other and never deadlock: events, inserted in the
-- order of the key; events, restated in the order of the key; rollups, in the order of the key.
--
-- Errors: TH001, TH002 from app.assume_authority; TH003 not allowed to write events; TH008 from
-- app.ensure_months.

set role tally_owner;

create or replace function api.ingest_events(
  p_authority text,
  p_ids text[],
  p_metrics text[],
  p_store_ids text[],
  p_values text[],
  p_currencies text[],
  p_recorded_at text[],
  p_sources text[],
  p_dimensions text[],
  p_on_conflict text
) returns text
  language plpgsql volatile set search_path = ''
as $$
declare
  v_org_id uuid;
  v_open_from timestamptz;
  v_errors jsonb;
  v_events public.metric_events[];
  v_inserted public.metric_events[];
  v_before public.metric_events[] := '{}';
  v_after public.metric_events[] := '{}';
begin
  perform app.assume_authority(p_authority);
  if not app.may_write_events() then
    raise exception using errcode = 'TH003', message = 'the role may not write events';
  end if;
  v_org_id := app.org_id();
  -- In a statement of its own, before stores are read: it waits for who closes months or removes a store.
  v_open_from := greatest(app.closed_before(v_org_id), '1970-01-01Z');

  -- Months are made before the statement that needs them: a partition cannot come under a running insert.
  perform app.ensure_months(array(
    select distinct date_trunc('month', e.recorded_at::timestamptz at time zone 'UTC')::date
    from unnest(p_store_ids, p_recorded_at) as e(store_id, recorded_at)
    join public.stores s on s.org_id = v_org_id and s.id = coalesce(e.store_id::uuid, app.key_store_id())
    where e.recorded_at::timestamptz between v_open_from and now() + interval '1 day'
  ));

  with event as materialized (
    select
      (u.position - 1)::integer as index, u.id, u.metric,
      coalesce(u.store_id::uuid, (select app.key_store_id())) as store_id, u.value::numeric as value, u.currency,
      u.recorded_at::timestamptz as recorded_at, u.source, u.dimensions::jsonb as dimensions
    from unnest(p_ids, p_metrics, p_store_ids, p_values, p_currencies, p_recorded_at, p_sources, p_dimensions)
      with ordinality as u(id, metric, store_id, value, currency, recorded_at, source, dimensions, position)
  ),
  definition as materialized (
    select m.key, m.unit, m.aggregation_method
    from app.metrics m
    where m.key = any (p_metrics)
  ),
  store as materialized (
    select s.id, s.currency
    from public.stores s
    where s.org_id = v_org_id and (s.id = any (p_store_ids::uuid[]) or s.id = (select app.key_store_id()))
  ),
  judged as materialized (
    select
      e.index, e.id, e.metric, e.store_id, e.value, e.recorded_at, e.source, e.dimensions,
      case when d.unit = 'currency' then coalesce(e.currency, s.currency) end as currency,
      case
        when e.store_id is null then 'store_required'
        when s.id is null then 'unknown_store'
        when d.key is null then 'unknown_metric'
        when d.aggregation_method = 'ratio' then 'derived_metric'
        when e.recorded_at not between v_open_from and now() + interval '1 day' then 'out_of_range'
      end as code
    from event e
    left join store s on s.id = e.store_id
    left join definition d on d.key = e.metric
  )
  select
    (
      select coalesce(jsonb_agg(jsonb_build_object('index', j.index, 'code', j.code) order by j.index), '[]')
      from judged j
      where j.code is not null
    ),
    -- Each once and in the order of the key. Any order would do that is everybody's; this one compares fastest.
    array(
      select distinct on (j.store_id, j.source collate "C", j.id collate "C", j.recorded_at)
        row(
          v_org_id, j.store_id, j.source, j.id, j.recorded_at, j.metric, j.value, j.currency, j.dimensions, now()
        )::public.metric_events
      from judged j
      where j.code is null
      order by j.store_id, j.source collate "C", j.id collate "C", j.recorded_at,
        case p_on_conflict when 'replace' then -j.index else j.index end
    )
  into v_errors, v_events;

  with inserted as (
    insert into public.metric_events as e
    select u.* from unnest(v_events) as u
    on conflict do nothing
    returning e
  )
  select coalesce(array_agg(i.e), '{}') into v_inserted from inserted i;

  if p_on_conflict = 'replace' and cardinality(v_inserted) < cardinality(v_events) then
    select r.p_before, r.p_after into v_before, v_after from app.restate_events(v_events) as r;
  end if;

  perform app.roll_up(v_inserted || v_after, v_before, v_open_from);

  return jsonb_build_object(
    'accepted', cardinality(v_inserted),
    'duplicates', cardinality(p_ids) - jsonb_array_length(v_errors) - cardinality(v_inserted) - cardinality(v_after),
    'replaced', cardinality(v_after),
    'errors', v_errors
  )::text;
end
$$;

comment on function api.ingest_events(text, text[], text[], text[], text[], text[], text[], text[], text[], text) is
  'POST /v1/events';
grant execute on function api.ingest_events(text, text[], text[], text[], text[], text[], text[], text[], text[], text)
  to tally_ingest;

reset role;
