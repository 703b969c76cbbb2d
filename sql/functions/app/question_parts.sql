-- The parts of a query, and whether they are to be had from rollups or from events.
--
-- Rollups suffice for what they hold: methods that can be put together from buckets, dimensions that the definition declares,
-- and local time that quarter hours or the store's own days tell apart.
--
-- Errors: TH006 events are needed, and the range is longer than 400 days or begins before the months that the plan keeps.

set role tally_owner;

create or replace function app.question_parts(p_question app.question, p_ranges app.question_range[], p_keys text[])
  returns app.question_part[]
  language plpgsql stable set search_path = ''
as $$
declare
  c_max_days constant integer := 400;
  v_org_id constant uuid := app.org_id();
  v_dimensions constant text[] := array_remove(p_question.group_by, 'store') || p_question.filter_dimensions;
  v_is_uneven constant boolean := exists (select from unnest(p_ranges) as r where r.is_uneven) and (
    exists (select from unnest(p_ranges) as r where not r.has_whole_days)
    or exists (
      select from public.stores s
      where s.org_id = v_org_id and s.id = any (p_question.stores) and s.timezone <> p_question.timezone
    )
  );
  v_kept_from timestamptz;
  v_parts app.question_part[];
begin
  v_parts := array(
    select row(
      p_question.number, k.n, d.key, d.aggregation_method, d.unit = 'currency', declared.names,
      d.metadata ->> 'distinct_dimension', d.metadata ->> 'percentile',
      d.aggregation_method in ('distinct', 'percentile') or v_is_uneven or not v_dimensions <@ declared.names
        or exists (
          select from app.rollup_rebuilds b
          where b.org_id = v_org_id and b.store_id = any (p_question.stores) and b.metric_key = d.key
        )
    )::app.question_part
    from unnest(p_keys) with ordinality as k(key, n)
    join app.metrics d on d.key = k.key
    cross join lateral (
      select array(select jsonb_array_elements_text(d.metadata -> 'rollup_dimensions')) as names
    ) as declared
    order by k.n
  );

  if exists (select from unnest(v_parts) as p where p.is_from_events) then
    v_kept_from := (select r.closed_before from app.retention r where r.org_id = v_org_id);
    if exists (select from unnest(p_ranges) as r where r.starts_at < v_kept_from) then
      raise exception using errcode = 'TH006', message = format(
        'only events can answer this, and those before %s are not kept', app.utc_text(v_kept_from)
      );
    end if;
    if exists (select from unnest(p_ranges) as r where r.ends_at > r.starts_at + c_max_days * interval '1 day') then
      raise exception using errcode = 'TH006', message = format(
        'only events can answer this, and of them at most %s days', c_max_days
      );
    end if;
  end if;
  return v_parts;
end
$$;

comment on function app.question_parts(app.question, app.question_range[], text[]) is
  'The parts of a query, and whether they are to be had from rollups or from events';
grant execute on function app.question_parts(app.question, app.question_range[], text[]) to tally_query;

reset role;
