-- The queries that convert money of stores where a day ended within a quarter hour (St John's until 2011, and zones that were no
-- quarter hours from UTC): of two days then, and their rates, a rollup of that quarter hour does not tell.

set role tally_owner;

create or replace function app.questions_with_torn_days(
  p_questions app.question[], p_ranges app.question_range[], p_parts app.question_part[]
) returns integer[]
  language plpgsql stable set search_path = ''
as $$
declare
  v_org_id constant uuid := app.org_id();
  v_converting constant integer[] := array(
    select q.number
    from unnest(p_questions) as q
    where q.currency is not null and exists (select from unnest(p_parts) as p where p.question = q.number and p.is_money)
  );
begin
  if v_converting = '{}' then
    return '{}';
  end if;
  return array(
    with place as materialized (
      -- No event is later than a day from now.
      select r.question, s.timezone, r.starts_at, least(r.ends_at, now() + interval '2 days') as ends_at
      from unnest(p_questions) as q
      join unnest(p_ranges) as r on r.question = q.number
      join public.stores s on s.org_id = v_org_id and s.id = any (q.stores)
      where q.number = any (v_converting)
    ),
    torn as materialized (
      select p.timezone, p.starts_at, p.ends_at
      from (select distinct p.timezone, p.starts_at, p.ends_at from place p where p.starts_at < p.ends_at) as p
      cross join lateral app.zone_segments(p.starts_at, p.ends_at, p.timezone) as z
      where extract(epoch from z.utc_offset)::integer % 900 <> 0
        or z.starts_at > p.starts_at and z.starts_at <> date_bin('15 minutes', z.starts_at, '2000-01-01Z')
    )
    select distinct p.question
    from place p
    join torn t on t.timezone = p.timezone and t.starts_at = p.starts_at and t.ends_at = p.ends_at
  );
end
$$;

comment on function app.questions_with_torn_days(app.question[], app.question_range[], app.question_part[]) is
  'The queries that convert money of stores where a day ended within a quarter hour';
grant execute on function app.questions_with_torn_days(app.question[], app.question_range[], app.question_part[]) to tally_query;

reset role;
