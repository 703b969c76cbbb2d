-- Refuses an answer of too many points.
--
-- Errors: TH006.

set role tally_owner;

create or replace function app.check_points(p_points bigint) returns void
  language plpgsql stable set search_path = ''
as $$
declare
  c_max_points constant integer := 50000;
begin
  if p_points > c_max_points then
    raise exception using errcode = 'TH006', message = format(
      'the answer would have %s points, %s are given; ask for fewer metrics, a shorter time or longer buckets', p_points, c_max_points
    );
  end if;
end
$$;

comment on function app.check_points(bigint) is 'Refuses an answer of too many points';
grant execute on function app.check_points(bigint) to tally_query;

reset role;
