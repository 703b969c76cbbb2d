-- The queries that convert money of stores where a day ended within a quarter hour (St John's until 2011, and zones that were no
-- quarter hours from UTC): of two days then, and their rates, a rollup of that quarter hour does not tell.

set role tally_owner;

create or replace function app.questions_with_torn_days(p_questions app.question[], p_ranges app.question_range[])
  returns integer[]
  language plpgsql stable set search_path = ''
as $$
declare
  v_org_id constant uuid := app.org_id();
begin
  if not exists (select from unnest(p_questions) as q where q.currency is not null) then
    return '{}';
  end if;
  return array(
    with place as (
      select distinct r.question, s.timezone, r.starts_at, r.ends_at
      from unnest(p_questions) as q
      join unnest(p_ranges) as r on r.question = q.number
      join public.stores s on s.org_id = v_org_id and s.id = any (q.stores)
      where q.currency is not null
    )
    select p.question
    from place p
    cross join lateral app.zone_segments(p.starts_at, p.ends_at, p.timezone) as z
    where extract(epoch from z.utc_offset)::integer % 900 <> 0
      or z.starts_at > p.starts_at and z.starts_at <> date_bin('15 minutes', z.starts_at, '2000-01-01Z')
    group by p.question
  );
end
$$;

comment on function app.questions_with_torn_days(app.question[], app.question_range[]) is
  'The queries that convert money of stores where a day ended within a quarter hour';
grant execute on function app.questions_with_torn_days(app.question[], app.question_range[]) to tally_query;

reset role;
