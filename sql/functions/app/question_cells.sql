-- The values of series in the buckets that have events, and in the whole range (bucket 0).
--
-- Averages and quotients are rounded to 12 places. Of a ratio or a formula, a part without events counts as 0 where it is a sum, a
-- count or different values; a bucket in which none of its parts has any has no cell.

set role tally_owner;

create or replace function app.question_cells(
  p_metrics app.question_metric[], p_parts app.question_part[], p_amounts app.amount[], p_series app.series[]
) returns app.cell[]
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_generic_plan' set enable_nestloop = off set enable_sort = off set jit = off
as $$
declare
  -- One, with places: Postgres divides to 16 digits or to as many places as the numerator has, whichever is more.
  c_places constant numeric := 1.000000000000000000000000000000;
begin
  return array(
    with part as materialized (
      select
        m.question, m.position, u.part, u.place, p.method, p.is_money or cardinality(m.parts) = 1 as is_told_apart
      from unnest(p_metrics) as m
      cross join lateral unnest(m.parts) with ordinality as u(part, place)
      join unnest(p_parts) as p on p.question = m.question and p.number = u.part
    ),
    valued as (
      select
        p.question, a.range, p.position, a.group_key, a.bucket, p.place, p.is_told_apart, a.currency,
        case p.method
          when 'avg' then round(a.sum * c_places / a.count, 12)
          when 'count' then a.count
          when 'min' then a.min
          when 'max' then a.max
          else a.sum
        end as value
      from unnest(p_amounts) as a
      join part p on p.question = a.question and p.part = a.part
    ),
    found as (
      select s.question, v.range, s.metric, s.group_key, s.currency, v.bucket, v.place, v.value
      from unnest(p_series) as s
      join valued v
        on v.question = s.question and v.position = s.metric and v.group_key = s.group_key
        and v.currency = case when v.is_told_apart then s.currency else '' end
      where not s.is_void
    )
    select row(f.question, f.range, f.metric, f.group_key, f.currency, f.bucket, f.value)::app.cell
    from found f
    join unnest(p_metrics) as m on m.question = f.question and m.position = f.metric and m.program = '{#1}'
    union all
    select row(
      t.question, t.range, t.metric, t.group_key, t.currency, t.bucket,
      case m.program
        when '{#1,#2,/}' then
          round(coalesce(t.first, m.empty_parts[1]) * c_places / nullif(coalesce(t.second, m.empty_parts[2]), 0), 12)
        else app.evaluate(m.program, array(
          select coalesce(t.values[array_position(t.places, e.place)], e.value)
          from unnest(m.empty_parts) with ordinality as e(value, place)
          order by e.place
        ))
      end
    )::app.cell
    from (
      select
        f.question, f.range, f.metric, f.group_key, f.currency, f.bucket,
        max(f.value) filter (where f.place = 1) as first, max(f.value) filter (where f.place = 2) as second,
        array_agg(f.place) as places, array_agg(f.value) as values
      from found f
      join unnest(p_metrics) as m on m.question = f.question and m.position = f.metric and m.program <> '{#1}'
      group by 1, 2, 3, 4, 5, 6
    ) as t
    join unnest(p_metrics) as m on m.question = t.question and m.position = t.metric
  );
end
$$;

comment on function app.question_cells(app.question_metric[], app.question_part[], app.amount[], app.series[]) is 'The values of series in the buckets that have events, and in the whole range';
grant execute on function app.question_cells(app.question_metric[], app.question_part[], app.amount[], app.series[]) to tally_query;

reset role;
