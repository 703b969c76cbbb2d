-- The parts of queries with whether they are to be had from rollups or from events.
--
-- Rollups suffice for what they hold: methods that can be put together from buckets, dimensions that the definition declares, and
-- declared already when their months were closed, local time that quarter hours or the store's own days tell apart, and money that is to
-- be converted whose day they do. The last of levels are told apart by all dimensions that are declared.
--
-- Errors: TH006 events are needed, and the range is longer than 400 days or begins before the months that the plan keeps.

set role tally_owner;

create or replace function app.sourced_parts(
  p_questions app.question[], p_ranges app.question_range[], p_parts app.question_part[]
) returns app.question_part[]
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_generic_plan' set jit = off
as $$
declare
  c_max_days constant integer := 400;
  v_org_id constant uuid := app.org_id();
  v_is_rebuilding constant boolean := exists (select from app.rollup_rebuilds b where b.org_id = v_org_id);
  v_has_narrow constant boolean := exists (select from app.closed_dimensions c where c.org_id = v_org_id);
  v_torn constant integer[] := app.questions_with_torn_days(p_questions, p_ranges, p_parts);
  v_uneven constant integer[] := array(
    select q.number
    from unnest(p_questions) as q
    where exists (select from unnest(p_ranges) as r where r.question = q.number and r.is_uneven) and (
      exists (select from unnest(p_ranges) as r where r.question = q.number and not r.has_whole_days)
      or exists (
        select from public.stores s where s.org_id = v_org_id and s.id = any (q.stores) and s.timezone <> q.timezone
      )
    )
  );
  v_parts constant app.question_part[] := array(
    select row(
      p.question, p.number, p.key, p.method, p.is_money, p.dimensions, p.distinct_dimension, p.fraction,
      p.method in ('distinct', 'percentile')
        or p.question = any (v_uneven)
        or p.is_money and p.question = any (v_torn)
        or not array_remove(q.group_by, 'store') || q.filter_dimensions <@ p.dimensions
        or v_is_rebuilding and exists (
          select from app.rollup_rebuilds b
          where b.org_id = v_org_id and b.store_id = any (q.stores) and b.metric_key = p.key
        )
        or v_has_narrow and exists (
          select
          from app.closed_dimensions c
          join unnest(p_ranges) as r on r.question = p.question and r.starts_at < c.closed_before
          where c.org_id = v_org_id and c.metric_key = p.key
            and not c.dimensions @> case p.method
              when 'last' then p.dimensions
              else array_remove(q.group_by, 'store') || q.filter_dimensions
            end
        )
    )::app.question_part
    from unnest(p_parts) as p
    join unnest(p_questions) as q on q.number = p.question
  );
  v_kept_from timestamptz;
  v_refused record;
begin
  if not exists (select from unnest(v_parts) as p where p.is_from_events) then
    return v_parts;
  end if;
  v_kept_from := (select r.closed_before from app.retention r where r.org_id = v_org_id);
  select
    q.label || case r.range when 1 then 'of the range compared with, ' else '' end as label,
    r.starts_at < v_kept_from as is_too_early
  into v_refused
  from unnest(p_ranges) as r
  join unnest(p_questions) as q on q.number = r.question
  where r.question in (select p.question from unnest(v_parts) as p where p.is_from_events)
    and (r.starts_at < v_kept_from or r.ends_at > r.starts_at + c_max_days * interval '1 day')
  order by r.question, r.range, is_too_early desc
  limit 1;
  if v_refused.is_too_early then
    raise exception using errcode = 'TH006', message = format(
      '%sonly events can answer this, and those before %s are not kept', v_refused.label, app.utc_text(v_kept_from)
    );
  elsif v_refused.label is not null then
    raise exception using errcode = 'TH006', message = format(
      '%sonly events can answer this, and of them at most %s days', v_refused.label, c_max_days
    );
  end if;
  return v_parts;
end
$$;

comment on function app.sourced_parts(app.question[], app.question_range[], app.question_part[]) is
  'The parts of queries with whether they are to be had from rollups or from events';
grant execute on function app.sourced_parts(app.question[], app.question_range[], app.question_part[]) to tally_query;

reset role;
