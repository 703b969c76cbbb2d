-- The groups that queries are answered by, in their order: of a query with `top` the first and, if there are more, the rest as the
-- group null; else those of a page.
--
-- The page before ended with a value and a group, which take their place among the groups as they are now: so nothing that came
-- before it comes again, and nothing is left out that was to come.
--
-- Errors: TH006 groups are to be ranked by money of several currencies.

set role tally_owner;

create or replace function app.question_groups(
  p_questions app.question[], p_metrics app.question_metric[], p_parts app.question_part[], p_amounts app.atom[]
) returns app.question_group[]
  language plpgsql stable set search_path = ''
  set plan_cache_mode = 'force_generic_plan' set enable_nestloop = off set enable_sort = off set jit = off
as $$
declare
  v_ungrouped constant app.question_group[] := array(
    select row(q.number, '[]'::jsonb, null, null)::app.question_group from unnest(p_questions) as q where q.group_by = '{}'
  );
  v_groups app.question_group[];
begin
  if cardinality(v_ungrouped) = cardinality(p_questions) then
    return v_ungrouped;
  end if;
  v_groups := v_ungrouped || array(
    select row(a.question, a.group_key, null, null)::app.question_group
    from unnest(p_amounts) as a
    where a.question not in (select g.question from unnest(v_ungrouped) as g)
    group by a.question, a.group_key
  );
  return app.ranked_groups(
    p_questions, v_groups, app.group_totals(p_questions, p_metrics, p_parts, p_amounts, v_groups)
  );
end
$$;

comment on function app.question_groups(app.question[], app.question_metric[], app.question_part[], app.atom[]) is 'The groups that queries are answered by, in their order';
grant execute on function app.question_groups(app.question[], app.question_metric[], app.question_part[], app.atom[]) to tally_query;

reset role;
