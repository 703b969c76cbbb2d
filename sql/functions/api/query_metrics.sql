-- POST /v1/query: answers to queries, all from one state of the data.
--
--   p_queries   a JSON array of queries of good form, each with every field; see Query in functions/core
--
-- Answers what app.answer_questions does.
--
-- Errors: TH001, TH002 from app.assume_authority; TH003 not allowed to read; those of app.answer_questions.

set role tally_owner;

create or replace function api.query_metrics(p_authority text, p_queries text) returns text
  language plpgsql volatile set search_path = ''
as $$
begin
  perform app.assume_authority(p_authority);
  if not app.may_read_metrics() then
    raise exception using errcode = 'TH003', message = 'the role may not read metrics';
  end if;
  return app.answer_questions(p_queries::jsonb);
end
$$;

comment on function api.query_metrics(text, text) is 'POST /v1/query';
grant execute on function api.query_metrics(text, text) to tally_query;

reset role;
