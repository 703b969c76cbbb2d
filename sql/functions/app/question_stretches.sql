-- What queries take of the stores: of each part, store and range a stretch of events or of rollups, by the day where the days asked for
-- are the store's own, and by the quarter hour everywhere else.
--
-- Errors: TH006 more than 200,000 of them.

set role tally_owner;

create or replace function app.question_stretches(
  p_questions app.question[], p_ranges app.question_range[], p_parts app.question_part[]
) returns app.stretch[]
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_generic_plan' set enable_nestloop = off set jit = off
as $$
declare
  c_max_stretches constant integer := 200000;
  v_org_id constant uuid := app.org_id();
begin
  if c_max_stretches < (
    select sum(cardinality(q.stores))
    from unnest(p_parts) as p
    join unnest(p_questions) as q on q.number = p.question
    join unnest(p_ranges) as r on r.question = p.question
  ) then
    raise exception using errcode = 'TH006', message = format(
      'more than %s combinations of stores and metrics, those compared with and those that others are made of included; ask for fewer',
      c_max_stretches
    );
  end if;
  return array(
    select row(
      p.question, r.range, p.number, p.key, p.method, p.dimensions, p.distinct_dimension, p.fraction, p.is_from_events,
      case when p.is_money then q.currency end, q.filter, q.group_by, s.id, s.timezone,
      case when r.has_whole_days and s.timezone = q.timezone then 'day' else '15m' end, r.starts_at, r.ends_at
    )::app.stretch
    from unnest(p_parts) as p
    join unnest(p_questions) as q on q.number = p.question
    join unnest(p_ranges) as r on r.question = p.question
    cross join lateral unnest(q.stores) as u(id)
    join public.stores s on s.org_id = v_org_id and s.id = u.id
  );
end
$$;

comment on function app.question_stretches(app.question[], app.question_range[], app.question_part[]) is
  'What queries take of the stores';
grant execute on function app.question_stretches(app.question[], app.question_range[], app.question_part[]) to tally_query;

reset role;
