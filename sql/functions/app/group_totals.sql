-- The totals that groups are ranked by, of the metrics that queries name for it; without events what they come to then.
--
-- Errors: TH006 they are money of several currencies.

set role tally_owner;

create or replace function app.group_totals(
  p_questions app.question[],
  p_metrics app.question_metric[],
  p_parts app.question_part[],
  p_amounts app.atom[],
  p_groups app.question_group[]
) returns app.group_total[]
  language plpgsql stable set search_path = ''
  set plan_cache_mode = 'force_generic_plan' set enable_nestloop = off set enable_sort = off set jit = off
as $$
declare
  v_metrics constant app.question_metric[] := array(
    select m
    from unnest(p_metrics) as m
    join unnest(p_questions) as q on q.number = m.question and m.key in (q.ranked_by, q.ordered_by)
  );
  v_amounts constant app.atom[] := array(select a from unnest(p_amounts) as a where a.range = 0 and a.bucket = 0);
  v_series app.series[];
  v_several record;
  v_cells app.cell[];
begin
  if cardinality(v_metrics) = 0 then
    return '{}';
  end if;
  v_series := app.question_series(p_questions, v_metrics, p_parts, v_amounts, p_groups);
  select q.label, m.key into v_several
  from unnest(v_series) as s
  join unnest(v_metrics) as m on m.question = s.question and m.position = s.metric
  join unnest(p_questions) as q on q.number = s.question
  group by q.number, q.label, m.position, m.key
  having count(distinct s.currency) filter (where s.currency <> '') > 1
  order by q.number, m.position
  limit 1;
  if v_several.key is not null then
    raise exception using errcode = 'TH006', message = format(
      '%sgroups cannot be ranked by %s, which is in several currencies; ask for a currency', v_several.label, v_several.key
    );
  end if;
  v_cells := app.question_cells(v_metrics, p_parts, v_amounts, v_series);
  return array(
    select row(
      s.question, s.metric, s.group_key,
      max(case when c.series is null then app.evaluate(m, m.empty_parts) else c.value end)
    )::app.group_total
    from unnest(v_series) as s
    join unnest(v_metrics) as m on m.question = s.question and m.position = s.metric
    left join unnest(v_cells) as c on c.series = s.number
    where not s.is_void
    group by s.question, s.metric, s.group_key
  );
end
$$;

comment on function app.group_totals(app.question[], app.question_metric[], app.question_part[], app.atom[], app.question_group[]) is 'The totals that groups are ranked by';
grant execute on function app.group_totals(app.question[], app.question_metric[], app.question_part[], app.atom[], app.question_group[]) to tally_query;

reset role;
