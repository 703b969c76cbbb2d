-- Groups in their order, cut to what is asked for; see app.question_groups.
--
-- Values come in the order null, texts by code point, numbers, false, true.

set role tally_owner;

create or replace function app.ranked_groups(
  p_questions app.question[], p_groups app.question_group[], p_totals app.group_total[]
) returns app.question_group[]
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_generic_plan' set enable_nestloop = off set jit = off
as $$
begin
  return array(
    with question as materialized (
      select
        q.*, (select m.n from unnest(q.metrics) with ordinality as m(key, n) where m.key = q.ranked_by) as ranking,
        (select m.n from unnest(q.metrics) with ordinality as m(key, n) where m.key = q.ordered_by) as ordering
      from unnest(p_questions) as q
    ),
    candidate as materialized (
      select q.number as question, g.group_key, r.value as ranked_value, o.value as ordered_value, false as is_cursor
      from unnest(p_groups) as g
      join question q on q.number = g.question
      left join unnest(p_totals) as r on r.question = q.number and r.metric = q.ranking and r.group_key = g.group_key
      left join unnest(p_totals) as o on o.question = q.number and o.metric = q.ordering and o.group_key = g.group_key
      union all
      select q.number, q.page_after -> 1, null, (q.page_after ->> 0)::numeric, true
      from question q
      where q.page_after is not null
    ),
    keyed as materialized (
      select
        c.*, q.top_n, q.has_other, q.page_size, q.is_descending, q.ordering is not null as is_by_metric,
        coalesce(q.ordered_by, q.ordered_dimension) is not null as is_ordered, k.*,
        dense_rank() over (partition by c.question order by d.kind, d.text collate "C", d.number) as dimension_rank
      from candidate c
      join question q on q.number = c.question
      cross join lateral (
        select
          array_agg(v.kind order by v.n) as kinds,
          (array_agg(v.text order by v.n)) as texts,
          (array_agg(v.number order by v.n)) as numbers
        from (
          select
            e.n, app.value_kind(e.value) as kind, case jsonb_typeof(e.value) when 'string' then e.value #>> '{}' else '' end as text,
            case jsonb_typeof(e.value) when 'number' then (e.value #>> '{}')::numeric else 0 end as number
          from jsonb_array_elements(c.group_key) with ordinality as e(value, n)
        ) as v
      ) as k
      cross join lateral (
        select
          k.kinds[array_position(q.group_by, q.ordered_dimension)] as kind,
          k.texts[array_position(q.group_by, q.ordered_dimension)] as text,
          k.numbers[array_position(q.group_by, q.ordered_dimension)] as number
      ) as d
    ),
    topped as (
      select
        k.*,
        row_number() over (
          partition by k.question
          order by k.ranked_value desc nulls last,
            k.kinds[1], k.texts[1] collate "C", k.numbers[1], k.kinds[2], k.texts[2] collate "C", k.numbers[2],
            k.kinds[3], k.texts[3] collate "C", k.numbers[3]
        ) as top_rank
      from keyed k
    ),
    ordered as (
      select
        t.*,
        row_number() over (
          partition by t.question
          order by
            t.is_by_metric and t.ordered_value is null,
            case when t.is_by_metric then case when t.is_descending then -t.ordered_value else t.ordered_value end end,
            case when t.is_descending then -t.dimension_rank else t.dimension_rank end,
            case when t.top_n is not null and not t.is_ordered then t.top_rank end,
            t.kinds[1], t.texts[1] collate "C", t.numbers[1], t.kinds[2], t.texts[2] collate "C", t.numbers[2],
            t.kinds[3], t.texts[3] collate "C", t.numbers[3], t.is_cursor
        ) as rank
      from topped t
      where t.top_n is null or t.top_rank <= t.top_n
    ),
    coming as (
      select
        o.*, row_number() over (partition by o.question order by o.rank) as place, count(*) over (partition by o.question) as left_over
      from ordered o
      left join ordered c on c.question = o.question and c.is_cursor
      where not o.is_cursor and (c.rank is null or o.rank > c.rank and o.group_key <> c.group_key)
    )
    select row(
      c.question, c.group_key, c.place,
      case when c.place = c.page_size and c.left_over > c.page_size then jsonb_build_array(c.ordered_value::text, c.group_key) end
    )::app.question_group
    from coming c
    where c.page_size is null or c.place <= c.page_size
    union all
    select row(t.question, 'null'::jsonb, max(t.top_n) + 1, null)::app.question_group
    from topped t
    where t.has_other and t.top_rank > t.top_n
    group by t.question
  );
end
$$;

comment on function app.ranked_groups(app.question[], app.question_group[], app.group_total[]) is 'Groups in their order, cut to what is asked for';
grant execute on function app.ranked_groups(app.question[], app.question_group[], app.group_total[]) to tally_query;

reset role;
