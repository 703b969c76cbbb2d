-- POST /v1/events: authorise, judge, insert, roll up, count; all or nothing, and once for each event however often it is
-- sent.
--
-- A batch comes as columns, one array a field, all of one length; the caller has checked that each value can be cast.
-- Answers {"accepted", "duplicates", "errors": [{"index", "code"}]}, index counting from 0 within the arrays.
-- Codes: store_required, unknown_store (also for a store of somebody else), unknown_metric, out_of_range (before 1970, or
-- more than a day ahead).
--
-- A key that is tied to a store implies it. A value of money without a currency is in the store's own; what is no money
-- has none, whatever the event says.
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
  p_dimensions text[]
) returns text
  language plpgsql volatile set search_path = ''
as $$
declare
  v_org_id uuid;
  v_result text;
begin
  perform app.assume_authority(p_authority);
  if not app.may_write_events() then
    raise exception using errcode = 'TH003', message = 'the role may not write events';
  end if;
  v_org_id := app.org_id();

  -- Months are made before the statement that needs them: a partition cannot come under a running insert.
  perform app.ensure_months(array(
    select distinct date_trunc('month', e.recorded_at::timestamptz at time zone 'UTC')::date
    from unnest(p_store_ids, p_recorded_at) as e(store_id, recorded_at)
    join public.stores s on s.org_id = v_org_id and s.id = coalesce(e.store_id::uuid, app.key_store_id())
    where e.recorded_at::timestamptz between '1970-01-01Z' and now() + interval '1 day'
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
    select m.key, m.unit, coalesce(m.metadata -> 'rollup_dimensions', '[]') as rollup_dimensions
    from app.metrics m
    where m.key = any (p_metrics)
  ),
  store as materialized (
    select s.id, s.timezone, s.currency
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
        when e.recorded_at not between '1970-01-01Z' and now() + interval '1 day' then 'out_of_range'
      end as code
    from event e
    left join store s on s.id = e.store_id
    left join definition d on d.key = e.metric
  ),
  -- In the order of the key, so that two batches with the same events wait for each other and never deadlock.
  inserted as (
    insert into public.metric_events
      (org_id, store_id, source, event_id, recorded_at, metric_key, value, currency, dimensions)
    select v_org_id, j.store_id, j.source, j.id, j.recorded_at, j.metric, j.value, j.currency, j.dimensions
    from judged j
    where j.code is null
    order by j.store_id, j.source, j.id, j.recorded_at
    on conflict do nothing
    returning store_id, recorded_at, metric_key, value, currency, dimensions
  ),
  rolled_up as (
    insert into public.metric_rollups as r
      (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions, count, sum, min, max)
    select
      v_org_id, i.store_id, i.metric_key, b.grain, b.start, coalesce(i.currency, ''), k.dimensions,
      count(*), sum(i.value), min(i.value), max(i.value)
    from inserted i
    join store s on s.id = i.store_id
    join definition d on d.key = i.metric_key
    cross join lateral (
      select coalesce(jsonb_object_agg(declared.name, i.dimensions -> declared.name), '{}')
      from jsonb_array_elements_text(d.rollup_dimensions) as declared(name)
      where i.dimensions ? declared.name
    ) as k(dimensions)
    cross join lateral (
      values
        ('15m', date_bin('15 minutes', i.recorded_at, '2000-01-01Z')),
        ('day', app.day_start((i.recorded_at at time zone s.timezone)::date, s.timezone))
    ) as b(grain, start)
    group by i.store_id, i.metric_key, b.grain, b.start, coalesce(i.currency, ''), k.dimensions
    -- The order of the key again: rollup rows are what concurrent batches share most.
    order by i.store_id, i.metric_key, b.grain, b.start, coalesce(i.currency, ''), k.dimensions
    on conflict (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions) do update
    set count = r.count + excluded.count,
        sum = r.sum + excluded.sum,
        min = least(r.min, excluded.min),
        max = greatest(r.max, excluded.max)
  )
  select jsonb_build_object(
    'accepted', (select count(*) from inserted),
    'duplicates', (select count(*) from judged where code is null) - (select count(*) from inserted),
    'errors', (
      select coalesce(jsonb_agg(jsonb_build_object('index', j.index, 'code', j.code) order by j.index), '[]')
      from judged j
      where j.code is not null
    )
  )::text
  into v_result;

  return v_result;
end
$$;

comment on function api.ingest_events(text, text[], text[], text[], text[], text[], text[], text[], text[]) is
  'POST /v1/events';
grant execute on function api.ingest_events(text, text[], text[], text[], text[], text[], text[], text[], text[])
  to tally_ingest;

reset role;
