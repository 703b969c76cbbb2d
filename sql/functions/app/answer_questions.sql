-- Answers to queries.
--
--   p_queries   a JSON array of queries of good form, each with every field; see Query in functions/core
--
-- Answers [{"series": [{"metric", "unit", "currency", "group", "other", "points": [{"start", "value"}], "total", "comparison":
-- {"points": [{"index", "start", "value", "difference", "change"}], "total", "difference", "change"}}], "meta": {"source",
-- "compared"}, "next_after"}], an element for each query; next_after is what the next page is asked for with, or null.
--
-- All queries go through each step together, so that several cost little more than one: what they ask is read, what it takes is
-- added up from rollups and events, groups are chosen, values are worked out, buckets are filled.
--
-- Stable, as is everything it calls: so all of it sees what was committed when it began.
--
-- Errors: TH004 unknown store; TH005 unknown metric; TH006 out of range, or what makes no sense; TH007 unknown time zone; TH030
-- unknown workspace; TH031 a rate is missing. Where there are several queries, a message begins with the one that it
-- is about, but for the bounds of a whole request.

set role tally_owner;

create or replace function app.answer_questions(p_queries jsonb) returns text
  language plpgsql stable set search_path = ''
as $$
declare
  -- Before money of several days and levels of several places are added up.
  c_max_atoms constant integer := 500000;
  v_asked record;
  v_questions app.question[];
  v_stretches app.stretch[];
  -- Whether there is what cannot be put together from buckets.
  v_has_whole boolean;
  v_atoms app.atom[];
  v_amounts app.atom[];
  v_factors app.factor[] := '{}';
  v_groups app.question_group[];
  v_series app.series[];
begin
  v_asked := app.read_questions(p_queries);
  v_questions := v_asked.p_questions;
  -- A series for each metric there is at least.
  perform app.check_points((
    select sum(cardinality(q.metrics) * cardinality(r.starts))
    from unnest(v_questions) as q
    join unnest(v_asked.p_ranges) as r on r.question = q.number
    where q.group_by = '{}'
  ));
  v_stretches := app.question_stretches(v_questions, v_asked.p_ranges, v_asked.p_parts);
  if exists (select from unnest(v_asked.p_parts) as p where p.is_from_events) then
    perform app.know_months();
  end if;
  v_has_whole := exists (select from unnest(v_asked.p_parts) as p where p.method in ('distinct', 'percentile'));

  v_atoms := app.rollup_atoms(v_stretches, v_asked.p_ranges, c_max_atoms + 1);
  if exists (select from unnest(v_asked.p_parts) as p where p.is_from_events) then
    v_atoms := v_atoms || app.event_atoms(v_stretches, v_asked.p_ranges, c_max_atoms + 1);
  end if;
  if cardinality(v_atoms) > c_max_atoms then
    raise exception using errcode = 'TH006', message = format(
      'more than %s combinations of groups and buckets, and of each day and currency of money that is converted, and of each store '
      'and all dimensions of a metric whose last value counts; ask for a shorter time or for less at once', c_max_atoms
    );
  end if;

  if exists (select from unnest(v_questions) as q where q.currency is not null) then
    v_factors := app.factors(
      v_questions, v_atoms || case when v_has_whole then app.event_days(v_stretches) else '{}' end
    );
    perform app.check_rates(v_questions, v_factors);
    v_atoms := app.converted_atoms(v_questions, v_atoms, v_factors);
  end if;
  v_amounts := app.amounts(v_questions, v_asked.p_parts, v_atoms);
  if v_has_whole then
    v_amounts := v_amounts || app.event_amounts(v_stretches, v_asked.p_ranges, v_factors, c_max_atoms + 1);
  end if;
  perform app.check_amounts(v_amounts);

  v_groups := app.question_groups(v_questions, v_asked.p_metrics, v_asked.p_parts, v_amounts);
  if exists (select from unnest(v_groups) as g where g.group_key = 'null') then
    v_amounts := v_amounts || app.amounts(v_questions, v_asked.p_parts, app.other_atoms(v_atoms, v_groups));
    if v_has_whole then
      v_amounts := v_amounts || app.event_amounts(v_stretches, v_asked.p_ranges, v_factors, c_max_atoms + 1, v_groups);
    end if;
  end if;

  v_series := app.question_series(v_questions, v_asked.p_metrics, v_asked.p_parts, v_amounts, v_groups);
  return app.question_results(
    v_questions, v_asked.p_ranges, v_asked.p_metrics, v_asked.p_parts, v_groups, v_series,
    app.question_cells(v_asked.p_metrics, v_asked.p_parts, v_amounts, v_series)
  )::text;
end
$$;

comment on function app.answer_questions(jsonb) is 'Answers to queries';
grant execute on function app.answer_questions(jsonb) to tally_query;

reset role;
