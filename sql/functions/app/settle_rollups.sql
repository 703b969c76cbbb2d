-- The second half of app.roll_up, for rows from which something was taken away: it may have been the least, the greatest or
-- the last of its bucket, and then these are found anew among the events. A row of which nothing is left goes.
--
--   p_taken  keys of rows, with the least, the greatest and the latest that was taken away
--
-- Exact while others write, since the caller has locked the rows and this looks after that: who has committed an event of the
-- bucket has added it to the row, and who has not will wait for the row.
--
-- Planned anew each time, with the range as constants: else it would lock every partition there is.
--
-- The day of an event is its local date. No clock was put back by more than eight hours since 1970: this bounds how far from
-- the bucket's start the events of its date can lie. Of closed months the events may be gone, but the quarter hours are there.

set role tally_owner;

create or replace function app.settle_rollups(p_taken public.metric_rollups[], p_open_from timestamptz) returns void
  language plpgsql volatile set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
  v_from constant timestamptz := greatest(
    p_open_from, (select min(t.bucket_start) from unnest(p_taken) as t) - interval '8 hours'
  );
  v_to constant timestamptz := (select max(t.bucket_start) from unnest(p_taken) as t) + interval '32 hours';
begin
  delete from public.metric_rollups r
  using unnest(p_taken) as t
  where r.org_id = t.org_id and r.store_id = t.store_id and r.metric_key = t.metric_key and r.grain = t.grain
    and r.bucket_start = t.bucket_start and r.currency = t.currency and r.dimensions = t.dimensions
    and r.count = 0;

  -- With where its events are to be looked for: worked out here, since under row-level security an index is searched by what
  -- needs no working out only.
  with definition as materialized (
    select m.key, m.metadata -> 'rollup_dimensions' as rollup_dimensions
    from app.metrics m
    where m.key in (select t.metric_key from unnest(p_taken) as t)
  ),
  doubtful as materialized (
    select
      r.*, s.timezone, d.rollup_dimensions,
      case r.grain when 'day' then r.bucket_start - interval '8 hours' else r.bucket_start end as events_from,
      r.bucket_start + case r.grain when 'day' then interval '32 hours' else interval '15 minutes' end as events_to
    from unnest(p_taken) as t
    join public.metric_rollups r
      on r.org_id = t.org_id and r.store_id = t.store_id and r.metric_key = t.metric_key and r.grain = t.grain
      and r.bucket_start = t.bucket_start and r.currency = t.currency and r.dimensions = t.dimensions
    join public.stores s on s.org_id = r.org_id and s.id = r.store_id
    left join definition d on d.key = r.metric_key
    where r.min = t.min or r.max = t.max or r.last_at = t.last_at
  )
  update public.metric_rollups r
  set min = found.min, max = found.max, last = found.last, last_at = found.last_at
  from doubtful d
  cross join lateral (
    select
      min(p.min) as min, max(p.max) as max,
      (max(array[extract(epoch from p.last_at), p.last]))[2] as last, max(p.last_at) as last_at
    from (
      select e.value as min, e.value as max, e.value as last, e.recorded_at as last_at
      from public.metric_events e
      cross join lateral (
        select coalesce(jsonb_object_agg(declared.name, e.dimensions -> declared.name), '{}')
        from jsonb_array_elements_text(d.rollup_dimensions) as declared(name)
        where e.dimensions ? declared.name
      ) as k(dimensions)
      where e.org_id = d.org_id and e.store_id = d.store_id and e.metric_key = d.metric_key
        and e.recorded_at >= v_from and e.recorded_at < v_to
        and e.recorded_at >= d.events_from and e.recorded_at < d.events_to
        and (d.grain = '15m'
          or (e.recorded_at at time zone d.timezone)::date = (d.bucket_start at time zone d.timezone)::date)
        and coalesce(e.currency, '') = d.currency
        and e.dimensions @> d.dimensions -- leaves few to look at closely
        and k.dimensions = d.dimensions
      union all
      select q.min, q.max, q.last, q.last_at
      from public.metric_rollups q
      where d.grain = 'day' and q.grain = '15m' and q.bucket_start >= d.bucket_start and q.bucket_start < p_open_from
        and q.org_id = d.org_id and q.store_id = d.store_id and q.metric_key = d.metric_key
        and q.currency = d.currency and q.dimensions = d.dimensions
    ) as p
  ) as found
  where r.org_id = d.org_id and r.store_id = d.store_id and r.metric_key = d.metric_key and r.grain = d.grain
    and r.bucket_start = d.bucket_start and r.currency = d.currency and r.dimensions = d.dimensions;
end
$$;

comment on function app.settle_rollups(public.metric_rollups[], timestamptz) is
  'Finds anew the least, the greatest and the last of rollups from which something was taken away';
grant execute on function app.settle_rollups(public.metric_rollups[], timestamptz) to tally_ingest;

reset role;
