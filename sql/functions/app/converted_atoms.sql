-- Atoms with their money in the currency that is asked for, added up over days and currencies.

set role tally_owner;

create or replace function app.converted_atoms(p_questions app.question[], p_atoms app.atom[], p_factors app.factor[])
  returns app.atom[]
  language plpgsql stable set search_path = ''
  set plan_cache_mode = 'force_generic_plan' set enable_nestloop = off set enable_sort = off set jit = off
as $$
begin
  return array(
    select a from unnest(p_atoms) as a where a.day is null
    union all
    select row(
      c.question, c.range, c.part, c.currency, null, c.group_key, c.bucket, c.level_key, sum(c.count), sum(c.sum),
      min(c.min), max(c.max), max(c.latest)
    )::app.atom
    from (
      select
        a.question, a.range, a.part, q.currency, a.group_key, a.bucket, a.level_key, a.count, a.sum * f.factor as sum,
        a.min * f.factor as min, a.max * f.factor as max,
        case when a.level_key is not null then array[a.latest[1], a.latest[2] * f.factor] end as latest
      from unnest(p_atoms) as a
      join unnest(p_questions) as q on q.number = a.question
      join unnest(p_factors) as f on f.question = a.question and f.currency = a.currency and f.day = a.day
    ) as c
    group by c.question, c.range, c.part, c.currency, c.group_key, c.bucket, c.level_key
  );
end
$$;

comment on function app.converted_atoms(app.question[], app.atom[], app.factor[]) is
  'Atoms with their money in the currency that is asked for';
grant execute on function app.converted_atoms(app.question[], app.atom[], app.factor[]) to tally_query;

reset role;
