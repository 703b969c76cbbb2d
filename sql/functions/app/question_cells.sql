-- The values of series in the buckets that have events, and in the whole range (bucket 0).
--
-- Averages and quotients are rounded to 12 places. Of a ratio or a formula, a part without events counts as 0 where it is a sum, a
-- count or different values; a bucket in which none of its parts has any has no cell.

set role tally_owner;

create or replace function app.question_cells(
  p_metrics app.question_metric[], p_parts app.question_part[], p_amounts app.atom[], p_series app.series[]
) returns app.cell[]
  language plpgsql stable set search_path = ''
  set plan_cache_mode = 'force_generic_plan' set enable_nestloop = off set enable_sort = off set jit = off
as $$
declare
  -- One, with places: Postgres divides to 16 digits or to as many places as the numerator has, whichever is more.
  c_places constant numeric := 1.000000000000000000000000000000;
  c_itself constant text[] := '{#1}';
begin
  return array(
    -- The parts of each series.
    with part as materialized (
      select
        s.number as series, p.question, p.number as part, p.method, s.group_key,
        case when p.is_money or cardinality(m.parts) = 1 then s.currency else '' end as currency,
        u.place, m.program = c_itself as is_itself
      from unnest(p_series) as s
      join unnest(p_metrics) as m on m.question = s.question and m.position = s.metric
      cross join lateral unnest(m.parts) with ordinality as u(part, place)
      join unnest(p_parts) as p on p.question = m.question and p.number = u.part
      where not s.is_void
    ),
    found as not materialized (
      select
        p.series, a.range, a.bucket, p.place, p.is_itself,
        case p.method
          when 'avg' then round(a.sum * c_places / a.count, 12)
          when 'count' then a.count
          -- With as many places as the sum has, which are those of the event with most: of 5 and 5.00 either may have been kept.
          when 'min' then round(a.min, scale(a.sum))
          when 'max' then round(a.max, scale(a.sum))
          else a.sum
        end as value
      from unnest(p_amounts) as a
      join part p
        on p.question = a.question and p.part = a.part and p.group_key = a.group_key and p.currency = a.currency
    )
    select row(f.series, f.range, f.bucket, f.value)::app.cell
    from found f
    where f.is_itself
    union all
    select row(
      t.series, t.range, t.bucket,
      case m.program
        when '{#1,#2,/}' then
          round(coalesce(t.first, m.empty_parts[1]) * c_places / nullif(coalesce(t.second, m.empty_parts[2]), 0), 12)
        else app.evaluate(m, array(
          select coalesce(t.values[array_position(t.places, e.place)], e.value)
          from unnest(m.empty_parts) with ordinality as e(value, place)
          order by e.place
        ))
      end
    )::app.cell
    from (
      select
        f.series, f.range, f.bucket,
        max(f.value) filter (where f.place = 1) as first, max(f.value) filter (where f.place = 2) as second,
        array_agg(f.place) as places, array_agg(f.value) as values
      from found f
      where not f.is_itself
      group by f.series, f.range, f.bucket
    ) as t
    join unnest(p_series) as s on s.number = t.series
    join unnest(p_metrics) as m on m.question = s.question and m.position = s.metric
  );
end
$$;

comment on function app.question_cells(app.question_metric[], app.question_part[], app.atom[], app.series[]) is
  'The values of series in the buckets that have events, and in the whole range';
grant execute on function app.question_cells(app.question_metric[], app.question_part[], app.atom[], app.series[]) to tally_query;

reset role;
