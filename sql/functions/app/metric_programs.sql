-- The programs of all metrics that queries name, by key, see app.metric_program.
--
-- Errors: TH005 unknown metric; TH006 what cannot be added over time is to be, or a definition cannot be worked out.

set role tally_owner;

create or replace function app.metric_programs(p_questions app.question[]) returns jsonb
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_generic_plan' set jit = off
as $$
declare
  c_derived constant jsonpath := '$.* ? (@ == "ratio" || @ == "formula")';
  v_org_id constant uuid := app.org_id();
  -- By key, null where there is no such metric.
  v_methods jsonb;
  v_refused record;
begin
  select jsonb_object_agg(n.key, m.aggregation_method) into v_methods
  from (select distinct k.key from unnest(p_questions) as q cross join lateral unnest(q.metrics) as k(key)) as n
  left join app.metrics m on m.key = n.key;

  select q.label, k.key, v_methods ->> k.key as method into v_refused
  from unnest(p_questions) as q
  cross join lateral unnest(q.metrics) with ordinality as k(key, n)
  where v_methods ->> k.key is null or q.is_cumulative and v_methods ->> k.key not in ('sum', 'count')
  order by q.number, k.n
  limit 1;
  if v_refused.key is not null and v_refused.method is null then
    raise exception using errcode = 'TH005', message = format('%sno metric %s', v_refused.label, v_refused.key);
  elsif v_refused.key is not null then
    raise exception using errcode = 'TH006', message = format(
      '%s%s cannot be added over time, so it is not cumulative', v_refused.label, v_refused.key
    );
  end if;

  -- Definitions are kept from breaking as they are written, but for changes of the standard catalogue.
  if v_methods @? c_derived and exists (select from public.metric_definitions d where d.org_id = v_org_id) then
    select q.label, f.fault into v_refused
    from unnest(p_questions) as q
    cross join lateral unnest(q.metrics) with ordinality as k(key, n)
    join app.definition_faults(v_org_id) as f on f.key = k.key
    order by q.number, k.n
    limit 1;
    if v_refused.fault is not null then
      raise exception using errcode = 'TH006', message = v_refused.label || v_refused.fault;
    end if;
  end if;
  return (
    select jsonb_object_agg(
      m.key, case when m.method in ('ratio', 'formula') then app.metric_program(m.key) else array[m.key] end
    )
    from jsonb_each_text(v_methods) as m(key, method)
  );
end
$$;

comment on function app.metric_programs(app.question[]) is 'The programs of all metrics that queries name, by key';
grant execute on function app.metric_programs(app.question[]) to tally_query;

reset role;
