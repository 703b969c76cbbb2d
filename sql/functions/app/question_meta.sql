-- Where the numbers of an answer come from, and the range that they are compared with.

set role tally_owner;

create or replace function app.question_meta(p_question integer, p_ranges app.question_range[], p_parts app.question_part[], p_zone text) returns jsonb
  language plpgsql stable set search_path = ''
as $$
declare
  v_compared constant jsonb := (
    select jsonb_build_object('from', app.iso_instant(r.starts_at, p_zone), 'to', app.iso_instant(r.ends_at, p_zone))
    from unnest(p_ranges) as r
    where r.question = p_question and r.range = 1
  );
begin
  return (
    select jsonb_build_object('source', case
      when bool_and(p.is_from_events) then 'events'
      when bool_or(p.is_from_events) then 'both'
      else 'rollups'
    end)
    from unnest(p_parts) as p
    where p.question = p_question
  ) || case when v_compared is null then '{}' else jsonb_build_object('compared', v_compared) end;
end
$$;

comment on function app.question_meta(integer, app.question_range[], app.question_part[], text) is 'Where the numbers of an answer come from, and the range that they are compared with';
grant execute on function app.question_meta(integer, app.question_range[], app.question_part[], text) to tally_query;

reset role;
