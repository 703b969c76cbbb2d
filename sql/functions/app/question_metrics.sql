-- The metrics of a query, each with the parts that it is worked out from; parts are numbered by their place among p_parts, and in
-- a program by their place in the metric.
--
-- Errors: TH005 unknown metric; TH006 what cannot be added over time is to be, or a definition cannot be worked out.

set role tally_owner;

create or replace function app.question_metrics(p_question app.question, out p_metrics app.question_metric[], out p_keys text[])
  language plpgsql stable set search_path = ''
as $$
declare
  v_org_id constant uuid := app.org_id();
  v_has_own constant boolean := exists (select from public.metric_definitions d where d.org_id = v_org_id);
  v_fault text;
  v_key text;
  v_metric record;
  v_program text[];
  v_bases text[];
begin
  p_metrics := '{}';
  p_keys := '{}';
  foreach v_key in array p_question.metrics loop
    select m.key, m.unit, m.aggregation_method as method into v_metric from app.metrics m where m.key = v_key;
    if v_metric.key is null then
      raise exception using errcode = 'TH005', message = format('no metric %s', v_key);
    end if;
    if p_question.is_cumulative and v_metric.method not in ('sum', 'count') then
      raise exception using errcode = 'TH006', message = format('%s cannot be added over time, so it is not cumulative', v_key);
    end if;

    if v_metric.method in ('ratio', 'formula') then
      -- Definitions are kept from breaking as they are written, but for changes of the standard catalogue.
      v_fault := case when v_has_own then (select f.fault from app.definition_faults(v_org_id) as f where f.key = v_key) end;
      if v_fault is not null then
        raise exception using errcode = 'TH006', message = v_fault;
      end if;
      v_program := app.metric_program(v_key);
      v_bases := array(
        select t.token from unnest(v_program) with ordinality as t(token, n) where t.token ~ '^[a-z]' group by 1 order by min(t.n)
      );
      p_keys := p_keys || array(select b.key from unnest(v_bases) as b(key) where b.key <> all (p_keys));
      p_metrics := p_metrics || app.derived_metric(
        p_question.number, cardinality(p_metrics) + 1, v_key, v_metric.unit, v_metric.method, v_program, v_bases, p_keys
      );
    else
      if v_key <> all (p_keys) then
        p_keys := p_keys || v_key;
      end if;
      p_metrics := p_metrics || row(
        p_question.number, cardinality(p_metrics) + 1, v_key, v_metric.unit, v_metric.method, '{#1}'::text[],
        array[array_position(p_keys, v_key)],
        array[case when v_metric.method in ('sum', 'count', 'distinct') then 0 end]::numeric[], false
      )::app.question_metric;
    end if;
  end loop;
end
$$;

comment on function app.question_metrics(app.question) is 'The metrics of a query, each with the parts that it is worked out from';
grant execute on function app.question_metrics(app.question) to tally_query;

reset role;
