-- What stretches have in each bucket and group, so many at most, from rollups.
--
-- Plans are kept, and go by the key: each stretch is one of it.

set role tally_owner;

create or replace function app.rollup_atoms(p_stretches app.stretch[], p_ranges app.question_range[], p_limit integer)
  returns app.atom[]
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_generic_plan'
  set enable_nestloop = off set enable_sort = off set enable_mergejoin = off set jit = off
as $$
declare
  v_org_id constant uuid := app.org_id();
begin
  return array(
    with found as (
      select
        t.question, t.range, t.part, r.currency,
        case when t.currency is not null and r.currency <> '' then (r.bucket_start at time zone t.timezone)::date end as day,
        case cardinality(t.group_by)
          when 0 then '[]'
          when 1 then jsonb_build_array(k.first)
          when 2 then jsonb_build_array(k.first, k.second)
          else jsonb_build_array(k.first, k.second, k.third)
        end as group_key,
        case when t.method = 'last' then jsonb_build_array(t.store_id, r.dimensions) end as level_key,
        r.bucket_start as at, r.count, r.sum, r.min, r.max,
        case when t.method = 'last' then array[extract(epoch from r.last_at), r.last] end as latest
      from unnest(p_stretches) as t
      cross join lateral (
        select r.*
        from public.metric_rollups r
        where r.org_id = v_org_id and r.store_id = t.store_id and r.metric_key = t.key and r.grain = t.grain
          and r.bucket_start >= t.starts_at and r.bucket_start < t.ends_at
        offset 0
      ) as r
      cross join lateral (
        select
          case t.group_by[1] when 'store' then to_jsonb(t.store_id) else r.dimensions -> t.group_by[1] end as first,
          case t.group_by[2] when 'store' then to_jsonb(t.store_id) else r.dimensions -> t.group_by[2] end as second,
          case t.group_by[3] when 'store' then to_jsonb(t.store_id) else r.dimensions -> t.group_by[3] end as third
      ) as k
      where not t.is_from_events and (t.filter is null or r.dimensions @@ t.filter)
    )
    select row(
      f.question, f.range, f.part, f.currency, f.day, f.group_key, b.number, f.level_key,
      sum(f.count), sum(f.sum), min(f.min), max(f.max), max(f.latest)
    )::app.atom
    from found f
    join unnest(p_ranges) as g on g.question = f.question and g.range = f.range
    cross join lateral (select width_bucket(f.at, g.starts) as number) as b
    group by f.question, f.range, f.part, f.currency, f.day, f.group_key, b.number, f.level_key
    limit p_limit
  );
end
$$;

comment on function app.rollup_atoms(app.stretch[], app.question_range[], integer) is
  'What stretches have in each bucket and group, from rollups';
grant execute on function app.rollup_atoms(app.stretch[], app.question_range[], integer) to tally_query;

reset role;
