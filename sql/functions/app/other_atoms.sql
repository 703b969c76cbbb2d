-- The atoms of all groups that are not answered by themselves as one group, null, where that is asked for.

set role tally_owner;

create or replace function app.other_atoms(p_atoms app.atom[], p_groups app.question_group[]) returns app.atom[]
  language plpgsql stable set search_path = ''
  set plan_cache_mode = 'force_generic_plan' set enable_nestloop = off set enable_sort = off set jit = off
as $$
begin
  return array(
    select row(
      a.question, a.range, a.part, a.currency, a.day, 'null'::jsonb, a.bucket, a.level_key, sum(a.count), sum(a.sum),
      min(a.min), max(a.max), max(a.latest)
    )::app.atom
    from unnest(p_atoms) as a
    join unnest(p_groups) as o on o.question = a.question and o.group_key = 'null'
    left join unnest(p_groups) as g on g.question = a.question and g.group_key = a.group_key
    where g.question is null
    group by a.question, a.range, a.part, a.currency, a.day, a.bucket, a.level_key
  );
end
$$;

comment on function app.other_atoms(app.atom[], app.question_group[]) is
  'The atoms of all groups that are not answered by themselves as one group';
grant execute on function app.other_atoms(app.atom[], app.question_group[]) to tally_query;

reset role;
