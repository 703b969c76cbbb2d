-- Queries as they are answered: what they name is looked up, and what it takes to answer them.
--
-- Errors: those of app.question_stores, app.question_ranges, app.question_metrics and app.sourced_parts; of several queries a
-- message begins with the one that it is about.

set role tally_owner;

create or replace function app.read_questions(
  p_queries jsonb,
  out p_questions app.question[],
  out p_ranges app.question_range[],
  out p_metrics app.question_metric[],
  out p_parts app.question_part[]
)
  language plpgsql stable set search_path = ''
as $$
declare
  v_query jsonb;
  v_number integer := 0;
  v_range app.question_range;
  v_scope jsonb;
  v_scopes jsonb[] := '{}';
  v_time jsonb;
  v_times jsonb[] := '{}';
  v_same integer;
  v_asked record;
begin
  p_questions := app.asked_questions(p_queries);
  p_ranges := '{}';
  begin
    for v_query in select jsonb_array_elements(p_queries) loop
      v_number := v_number + 1;

      -- The widgets of a dashboard are mostly about the same stores and the same time.
      v_scope := jsonb_build_array(v_query -> 'stores', v_query -> 'workspace');
      v_same := array_position(v_scopes, v_scope);
      v_scopes := v_scopes || v_scope;
      p_questions[v_number].stores := case
        when v_same is null then app.question_stores(v_query)
        else (p_questions[v_same]).stores
      end;

      v_time := jsonb_build_array(
        v_query -> 'from', v_query -> 'to', v_query -> 'granularity', v_query -> 'week_start', v_query -> 'timezone', v_query -> 'compare'
      );
      v_same := array_position(v_times, v_time);
      v_times := v_times || v_time;
      if v_same is null then
        p_ranges := p_ranges || app.question_ranges(v_query, p_questions[v_number]);
      else
        foreach v_range in array p_ranges loop
          if v_range.question = v_same then
            v_range.question := v_number;
            p_ranges := p_ranges || v_range;
          end if;
        end loop;
      end if;
    end loop;
  exception
    when sqlstate 'TH004' or sqlstate 'TH006' or sqlstate 'TH007' or sqlstate 'TH030' then
      raise exception using errcode = sqlstate, message = (p_questions[v_number]).label || sqlerrm;
  end;

  v_asked := app.question_metrics(p_questions);
  p_metrics := v_asked.p_metrics;
  p_parts := app.sourced_parts(p_questions, p_ranges, v_asked.p_parts);
end
$$;

comment on function app.read_questions(jsonb) is 'Queries as they are answered: what they name is looked up, and what it takes to answer them';
grant execute on function app.read_questions(jsonb) to tally_query;

reset role;
