-- What a metric is worked out from: a ratio or a formula in reverse Polish notation over metrics that have events, put in for
-- whatever it stands on. A metric with events is its own.
--
-- Definitions are kept from standing on themselves as they are written, but for changes of the standard catalogue: then the
-- depth ends it.
--
-- Errors: TH006 the definition cannot be worked out.

set role tally_owner;

create or replace function app.metric_program(p_key text, p_depth integer default 0) returns text[]
  language plpgsql stable set search_path = ''
as $$
declare
  c_max_depth constant integer := 16;
  v_metric record;
  v_token text;
  v_program text[] := '{}';
begin
  select m.aggregation_method as method, m.metadata into v_metric from app.metrics m where m.key = p_key;
  if v_metric.method is null or p_depth > c_max_depth then
    raise exception using errcode = 'TH006', message = format('the definition of %s cannot be worked out', p_key);
  end if;
  if v_metric.method = 'ratio' then
    return app.metric_program(v_metric.metadata ->> 'numerator', p_depth + 1)
      || app.metric_program(v_metric.metadata ->> 'denominator', p_depth + 1) || '/'::text;
  end if;
  if v_metric.method <> 'formula' then
    return array[p_key];
  end if;
  foreach v_token in array app.formula_program(v_metric.metadata ->> 'formula') loop
    v_program := v_program || case when v_token ~ '^[a-z]' then app.metric_program(v_token, p_depth + 1) else array[v_token] end;
  end loop;
  return v_program;
end
$$;

comment on function app.metric_program(text, integer) is
  'What a metric is worked out from, in reverse Polish notation over metrics that have events';
grant execute on function app.metric_program(text, integer) to tally_query;

reset role;
