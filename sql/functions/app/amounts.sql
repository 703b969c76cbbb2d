-- What parts have in each bucket and, where it is asked for, in the whole range.
--
-- Levels are added over stores and dimensions and never over time: of each the last value counts, in a bucket and in the whole
-- range.

set role tally_owner;

create or replace function app.amounts(p_questions app.question[], p_parts app.question_part[], p_atoms app.atom[])
  returns app.atom[]
  language plpgsql stable set search_path = ''
  set plan_cache_mode = 'force_generic_plan' set enable_nestloop = off set enable_sort = off set jit = off
as $$
declare
  -- The queries of whose ranges totals are told, or which go by them.
  v_totalled constant integer[] := array(
    select q.number from unnest(p_questions) as q
    where q.has_totals or q.is_compared or q.ranked_by is not null or q.ordered_by is not null
  );
  v_amounts app.atom[] := p_atoms;
begin
  if cardinality(v_totalled) > 0 then
    v_amounts := v_amounts || array(
      select row(
        a.question, a.range, a.part, a.currency, null, a.group_key, 0, a.level_key, sum(a.count), sum(a.sum),
        min(a.min), max(a.max), max(a.latest)
      )::app.atom
      from unnest(p_atoms) as a
      where a.question = any (v_totalled)
      group by a.question, a.range, a.part, a.currency, a.group_key, a.level_key
    );
  end if;
  if exists (select from unnest(p_parts) as p where p.method = 'last') then
    v_amounts := array(
      select a from unnest(v_amounts) as a where a.level_key is null
      union all
      select row(
        a.question, a.range, a.part, a.currency, null, a.group_key, a.bucket, null, sum(a.count), sum(a.latest[2]), null, null,
        null
      )::app.atom
      from unnest(v_amounts) as a
      where a.level_key is not null
      group by a.question, a.range, a.part, a.currency, a.group_key, a.bucket
    );
  end if;
  return v_amounts;
end
$$;

comment on function app.amounts(app.question[], app.question_part[], app.atom[]) is
  'What parts have in each bucket and, where it is asked for, in the whole range';
grant execute on function app.amounts(app.question[], app.question_part[], app.atom[]) to tally_query;

reset role;
