-- The answers to queries: every bucket of every series, filled as asked for, with totals and comparisons.
--
-- Points are compared by their place by the local clock: the third day with the third day.
--
-- Errors: TH006 from app.check_points.

set role tally_owner;

create or replace function app.question_results(
  p_questions app.question[],
  p_ranges app.question_range[],
  p_metrics app.question_metric[],
  p_parts app.question_part[],
  p_groups app.question_group[],
  p_series app.series[],
  p_cells app.cell[]
) returns json
  language plpgsql stable set search_path = ''
  set plan_cache_mode = 'force_generic_plan' set enable_nestloop = off set jit = off
as $$
declare
  -- One, with places: Postgres divides to 16 digits or to as many places as the numerator has, whichever is more.
  c_places constant numeric := 1.000000000000000000000000000000;
begin
  perform app.check_points((
    select sum(cardinality(r.starts)) from unnest(p_ranges) as r join unnest(p_series) as s on s.question = r.question
  ));

  return (
    with question as materialized (
      select q.* from unnest(p_questions) as q
    ),
    metric as materialized (
      select
        m.question, m.position, m.key, m.unit,
        -- What it comes to without any event.
        case when m.program = '{#1}' then m.empty_parts[1] else app.evaluate(m, m.empty_parts) end as nothing,
        q.currency is not null and exists (
          select from unnest(p_parts) as p where p.question = m.question and p.number = any (m.parts) and p.is_money
        ) as is_converted
      from unnest(p_metrics) as m
      join question q on q.number = m.question
    ),
    series as materialized (
      select
        s.number, s.question, s.group_key, s.currency, m.key, m.unit, q.has_totals, q.is_compared, q.group_by,
        m.is_converted, case when not s.is_void then m.nothing end as nothing, q.is_cumulative, q.fill,
        q.is_cumulative or q.fill = 'previous' as is_shaped
      from unnest(p_series) as s
      join metric m on m.question = s.question and m.position = s.metric
      join question q on q.number = s.question
    ),
    bucket as materialized (
      select r.question, r.range, b.number::integer as number, b.label, b.place, b.repeat
      from unnest(p_ranges) as r
      cross join lateral unnest(r.labels, r.places, r.repeats) with ordinality as b(label, place, repeat, number)
    ),
    placed as not materialized (
      select
        s.number as series, s.is_shaped, s.is_cumulative, b.range, b.number, b.label, b.place, b.repeat, c.series is not null as has_cell,
        case
          when c.series is null then
            -- A running sum grows by nothing where there is nothing, however that is to look.
            case when s.is_cumulative or s.fill = 'zero' then s.nothing end
          when s.is_converted then trim_scale(c.value)
          else c.value
        end as value
      from series s
      join bucket b on b.question = s.question
      left join unnest(p_cells) as c on c.series = s.number and c.range = b.range and c.bucket = b.number
    ),
    point as materialized (
      select p.series, p.range, p.number, p.label, p.place, p.repeat, p.value
      from placed p
      where not p.is_shaped
      union all
      select
        p.series, p.range, p.number, p.label, p.place, p.repeat,
        case
          when p.is_cumulative then sum(p.value) over (partition by p.series, p.range order by p.number)
          else first_value(p.value) over (partition by p.series, p.range, p.stretch order by p.number)
        end
      from (
        -- Empty buckets go with the last one before them that is not.
        select p.*, count(*) filter (where p.has_cell) over (partition by p.series, p.range order by p.number) as stretch
        from placed p
        where p.is_shaped
      ) as p
    ),
    -- Labels and decimals need no escapes, and so are put together faster than by functions for JSON.
    main as (
      select
        p.series,
        string_agg(
          '{"start": "' || p.label || '", "value": ' || coalesce('"' || p.value || '"', 'null') || '}', ', ' order by p.number
        ) as points
      from point p
      where p.range = 0
      group by p.series
    ),
    compared as (
      select
        p.series,
        json_agg(
          json_build_object(
            'index', m.number - 1, 'start', p.label, 'value', p.value::text,
            'difference', (m.value - p.value)::text,
            'change', trim_scale(round((m.value - p.value) * c_places / nullif(abs(p.value), 0), 12))::text
          ) order by p.number
        ) as points
      from point p
      left join point m on m.series = p.series and m.range = 0 and m.place = p.place and m.repeat = p.repeat
      where p.range = 1
      group by p.series
    ),
    total as (
      select
        s.number, t.main::text as main, t.compared::text as compared, (t.main - t.compared)::text as difference,
        trim_scale(round((t.main - t.compared) * c_places / nullif(abs(t.compared), 0), 12))::text as change
      from series s
      left join unnest(p_cells) as m on m.series = s.number and m.range = 0 and m.bucket = 0
      left join unnest(p_cells) as c on c.series = s.number and c.range = 1 and c.bucket = 0
      cross join lateral (
        select
          case when m.series is null then s.nothing when s.is_converted then trim_scale(m.value) else m.value end as main,
          case when c.series is null then s.nothing when s.is_converted then trim_scale(c.value) else c.value end as compared
      ) as t
      where s.has_totals or s.is_compared
    ),
    answer as (
      select
        s.question, s.number,
        json_build_object(
          'metric', s.key, 'unit', s.unit, 'currency', nullif(s.currency, ''),
          'group', (
            select coalesce(json_object_agg(n.name, s.group_key -> (n.place::integer - 1)), '{}')
            from unnest(s.group_by) with ordinality as n(name, place)
            where s.group_key <> 'null'
          )
        )::text as head,
        s.group_key = 'null' as is_other,
        m.points, t.main as total, s.has_totals or s.is_compared as has_total, s.is_compared,
        case when s.is_compared then json_build_object(
          'points', c.points, 'total', t.compared, 'difference', t.difference, 'change', t.change
        ) end as comparison
      from series s
      join main m on m.series = s.number
      left join total t on t.number = s.number
      left join compared c on c.series = s.number
    ),
    answered as (
      select
        a.question,
        '[' || string_agg(
          left(a.head, -1) || case when a.is_other then ', "other": true' else '' end || ', "points": [' || a.points || ']'
          || case when a.has_total then ', "total": ' || coalesce('"' || a.total || '"', 'null') else '' end
          || case when a.is_compared then ', "comparison": ' || a.comparison else '' end || '}',
          ', ' order by a.number
        ) || ']' as series
      from answer a
      group by a.question
    )
    select json_agg(
      json_build_object(
        'series', coalesce(a.series, '[]')::json,
        'meta', case
          when r.question is null then jsonb_build_object('source', p.source)
          else jsonb_build_object('source', p.source, 'compared', jsonb_build_object(
            'from', app.iso_instant(r.starts_at, q.timezone), 'to', app.iso_instant(r.ends_at, q.timezone)
          ))
        end,
        'next_after', n.next_after
      ) order by q.number
    )
    from question q
    left join answered a on a.question = q.number
    -- Where the numbers come from.
    join (
      select p.question, case
        when bool_and(p.is_from_events) then 'events'
        when bool_or(p.is_from_events) then 'both'
        else 'rollups'
      end as source
      from unnest(p_parts) as p
      group by p.question
    ) as p on p.question = q.number
    left join unnest(p_ranges) as r on r.question = q.number and r.range = 1
    left join (
      select g.question, g.next_after from unnest(p_groups) as g where g.next_after is not null
    ) as n on n.question = q.number
  );
end
$$;

comment on function app.question_results(
  app.question[], app.question_range[], app.question_metric[], app.question_part[], app.question_group[], app.series[], app.cell[]
) is 'The answers to queries';
grant execute on function app.question_results(
  app.question[], app.question_range[], app.question_metric[], app.question_part[], app.question_group[], app.series[], app.cell[]
) to tally_query;

reset role;
