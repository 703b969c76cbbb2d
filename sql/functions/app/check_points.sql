-- Whether an answer of so many points is small enough to be given; an error if not.
--
-- Errors: TH006.

set role tally_owner;

create or replace function app.may_answer(p_points bigint) returns boolean
  language plpgsql stable set search_path = ''
as $$
begin
  if p_points > 50000 then
    raise exception using errcode = 'TH006', message = format(
      'The answer would have %s points, 50000 are given: ask for fewer metrics, a shorter time or longer buckets.', p_points
    );
  end if;
  return true;
end
$$;

comment on function app.may_answer(bigint) is 'Whether an answer of so many points is given; an error if not';
grant execute on function app.may_answer(bigint) to tally_query;

reset role;
