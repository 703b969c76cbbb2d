-- The range of a query, and the one that it is compared with if it is.
--
-- Errors: TH006 from must be before to; TH007 unknown time zone; those of app.question_range and app.compared_range.

set role tally_owner;

create or replace function app.question_ranges(p_query jsonb, p_question app.question) returns app.question_range[]
  language plpgsql stable set search_path = ''
as $$
declare
  v_from timestamptz;
  v_to timestamptz;
  v_compared record;
begin
  if not exists (select from app.time_zones z where z.name = p_question.timezone) then
    raise exception using errcode = 'TH007', message = format('unknown time zone %s', p_question.timezone);
  end if;
  v_from := app.local_instant(p_query ->> 'from', p_question.timezone);
  v_to := app.local_instant(p_query ->> 'to', p_question.timezone);
  if v_from >= v_to then
    raise exception using errcode = 'TH006', message = 'from must be before to';
  end if;
  if not p_question.is_compared then
    return array[app.question_range(p_question, 0, v_from, v_to)];
  end if;
  v_compared := app.compared_range(v_from, v_to, p_question.timezone, p_query);
  return array[
    app.question_range(p_question, 0, v_from, v_to),
    app.question_range(p_question, 1, v_compared.starts_at, v_compared.ends_at)
  ];
end
$$;

comment on function app.question_ranges(jsonb, app.question) is
  'The range of a query, and the one that it is compared with if it is';
grant execute on function app.question_ranges(jsonb, app.question) to tally_query;

reset role;
