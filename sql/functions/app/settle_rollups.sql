-- The second half of app.roll_up, for rows from which something was taken away: it may have been the least, the greatest or
-- the last of its bucket, and then these are found anew among the events. A row of which nothing is left goes.
--
--   p_taken  keys of rows, with the least, the greatest and the latest that was taken away
--
-- Exact while others write, since the caller has locked the rows and this looks after that: who has committed an event of the
-- bucket has added it to the row, and who has not will wait for the row.
--
-- A row of many of one bucket is found by its dimensions, by which no index is searched under row-level security: so the rows of
-- a bucket are read once, and then told by where they stand, which nobody else can change while they are locked.
--
-- Planned anew each time, with the range as constants: else it would lock every partition there is.
--
-- The day of an event is its local date. No clock was put back by more than eight hours since 1970: this bounds how far from
-- the bucket's start the events of its date can lie. Of closed months the events may be gone, but the quarter hours are there.

set role tally_owner;

create or replace function app.settle_rollups(p_taken public.metric_rollups[], p_open_from timestamptz) returns void
  language plpgsql volatile set search_path = '' set plan_cache_mode = 'force_custom_plan' set jit = off
as $$
declare
  v_org_id constant uuid := app.org_id();
  v_from constant timestamptz := greatest(
    p_open_from, (select min(t.bucket_start) from unnest(p_taken) as t) - interval '8 hours'
  );
  v_to constant timestamptz := (select max(t.bucket_start) from unnest(p_taken) as t) + interval '32 hours';
begin
  with bucket as materialized (
    select distinct t.store_id, t.metric_key, t.grain, t.bucket_start, t.currency from unnest(p_taken) as t
  ),
  kept as materialized (
    select r.*
    from bucket b
    cross join lateral (
      select r.*, r.ctid as place
      from public.metric_rollups r
      where r.org_id = v_org_id and r.store_id = b.store_id and r.metric_key = b.metric_key and r.grain = b.grain
        and r.bucket_start = b.bucket_start and r.currency = b.currency
      offset 0
    ) as r
  ),
  taken as materialized (
    select k.*, k.min = t.min or k.max = t.max or k.last_at = t.last_at as is_doubtful
    from unnest(p_taken) as t
    join kept k
      on k.store_id = t.store_id and k.metric_key = t.metric_key and k.grain = t.grain and k.bucket_start = t.bucket_start
      and k.currency = t.currency and k.dimensions = t.dimensions
  ),
  gone as (
    delete from public.metric_rollups r using taken t where r.org_id = v_org_id and r.ctid = t.place and t.count = 0
  ),
  definition as materialized (
    select m.key, m.metadata -> 'rollup_dimensions' as rollup_dimensions
    from app.metrics m
    where m.key in (select b.metric_key from bucket b)
  ),
  -- Where their events are to be looked for: worked out here, since under row-level security an index is searched by what needs
  -- no working out only.
  doubtful as materialized (
    select
      d.*, s.timezone, m.rollup_dimensions,
      case d.grain when 'day' then d.bucket_start - interval '8 hours' else d.bucket_start end as events_from,
      d.bucket_start + case d.grain when 'day' then interval '32 hours' else interval '15 minutes' end as events_to
    from (select distinct t.store_id, t.metric_key, t.grain, t.bucket_start from taken t where t.count > 0 and t.is_doubtful) as d
    join public.stores s on s.org_id = v_org_id and s.id = d.store_id
    left join definition m on m.key = d.metric_key
  ),
  -- Each bucket's events are gone through once, whatever of it is doubtful.
  alike as materialized (
    select
      d.store_id, d.metric_key, d.grain, d.bucket_start, coalesce(e.currency, '') as currency, e.dimensions, d.rollup_dimensions,
      min(e.value) as min, max(e.value) as max, max(array[extract(epoch from e.recorded_at), e.value]) as latest,
      max(e.recorded_at) as last_at
    from doubtful d
    cross join lateral (
      select e.*
      from public.metric_events e
      where e.org_id = v_org_id and e.store_id = d.store_id and e.metric_key = d.metric_key
        and e.recorded_at >= v_from and e.recorded_at < v_to
        and e.recorded_at >= d.events_from and e.recorded_at < d.events_to
      offset 0
    ) as e
    where d.grain = '15m'
      or (e.recorded_at at time zone d.timezone)::date = (d.bucket_start at time zone d.timezone)::date
    group by 1, 2, 3, 4, 5, 6, 7
  ),
  part as (
    select
      null::tid as place, a.store_id, a.metric_key, a.grain, a.bucket_start, a.currency,
      (
        select coalesce(jsonb_object_agg(declared.name, a.dimensions -> declared.name), '{}')
        from jsonb_array_elements_text(a.rollup_dimensions) as declared(name)
        where a.dimensions ? declared.name
      ) as dimensions,
      a.min, a.max, a.latest, a.last_at
    from alike a
    union all
    select
      null, d.store_id, d.metric_key, d.grain, d.bucket_start, q.currency, q.dimensions,
      q.min, q.max, array[extract(epoch from q.last_at), q.last], q.last_at
    from doubtful d
    cross join lateral (
      select q.*
      from public.metric_rollups q
      where q.org_id = v_org_id and q.store_id = d.store_id and q.metric_key = d.metric_key and q.grain = '15m'
        and q.bucket_start >= d.bucket_start and q.bucket_start < p_open_from
      offset 0
    ) as q
    where d.grain = 'day'
    union all
    select t.place, t.store_id, t.metric_key, t.grain, t.bucket_start, t.currency, t.dimensions, null, null, null, null
    from taken t
    where t.count > 0 and t.is_doubtful
  ),
  -- Put together by grouping and not by a join, for which a plan that takes them for few would compare each with each.
  found as materialized (
    select
      max(p.place) as place, min(p.min) as min, max(p.max) as max, (max(p.latest))[2] as last, max(p.last_at) as last_at
    from part p
    group by p.store_id, p.metric_key, p.grain, p.bucket_start, p.currency, p.dimensions
    having max(p.place) is not null
  )
  update public.metric_rollups r
  set min = f.min, max = f.max, last = f.last, last_at = f.last_at
  from found f
  where r.org_id = v_org_id and r.ctid = f.place;
end
$$;

comment on function app.settle_rollups(public.metric_rollups[], timestamptz) is
  'Finds anew the least, the greatest and the last of rollups from which something was taken away';
grant execute on function app.settle_rollups(public.metric_rollups[], timestamptz) to tally_ingest;

reset role;
