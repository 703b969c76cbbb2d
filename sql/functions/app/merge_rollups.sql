-- A part of app.rebuild_store_rollups, for what is closed: rollups from an instant on lose the dimensions that the definition does not name any
-- more, and those that are alike without them become one. A dimension that it names and that they have not, they never get.
--
--   p_hours_to, p_days_to  where the quarter hours and the days end
--
-- Answers how many it went through.
--
-- What goes has a dimension that what comes has not, so no row is deleted and inserted under one key.

set role tally_owner;

create or replace function app.merge_rollups(
  p_org_id uuid, p_store_id uuid, p_metric_key text, p_names text[], p_from timestamptz, p_hours_to timestamptz,
  p_days_to timestamptz
) returns bigint
  language plpgsql volatile set search_path = ''
as $$
declare
  v_count bigint;
begin
  select count(*) into v_count
  from public.metric_rollups r
  where r.org_id = p_org_id and r.store_id = p_store_id and r.metric_key = p_metric_key
    and r.bucket_start >= p_from and r.bucket_start < case r.grain when 'day' then p_days_to else p_hours_to end;
  with gone as (
    delete from public.metric_rollups r
    where r.org_id = p_org_id and r.store_id = p_store_id and r.metric_key = p_metric_key
      and r.bucket_start >= p_from and r.bucket_start < case r.grain when 'day' then p_days_to else p_hours_to end
      and not p_names @> array(select jsonb_object_keys(r.dimensions))
    returning
      r.grain, r.bucket_start, r.currency, r.count, r.sum, r.min, r.max, r.last, r.last_at,
      (
        select coalesce(jsonb_object_agg(d.name, d.value), '{}')
        from jsonb_each(r.dimensions) as d(name, value)
        where d.name = any (p_names)
      ) as dimensions
  )
  insert into public.metric_rollups as r
    (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions, count, sum, min, max, last, last_at)
  select
    p_org_id, p_store_id, p_metric_key, g.grain, g.bucket_start, g.currency, g.dimensions,
    sum(g.count), sum(g.sum), min(g.min), max(g.max),
    (max(array[extract(epoch from g.last_at), g.last]))[2], max(g.last_at)
  from gone g
  group by g.grain, g.bucket_start, g.currency, g.dimensions
  on conflict (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions) do update
  set count = r.count + excluded.count,
      sum = r.sum + excluded.sum,
      min = least(r.min, excluded.min),
      max = greatest(r.max, excluded.max),
      last = case when (excluded.last_at, excluded.last) > (r.last_at, r.last) then excluded.last else r.last end,
      last_at = greatest(r.last_at, excluded.last_at);
  return v_count;
end
$$;

comment on function app.merge_rollups(uuid, uuid, text, text[], timestamptz, timestamptz, timestamptz) is
  'Puts together rollups of closed months that are alike in the dimensions that are left';

reset role;
