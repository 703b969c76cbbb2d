-- Whether so many atoms are few enough to be worked with; an error if not.
--
-- Errors: TH006.

set role tally_owner;

create or replace function app.may_add_up(p_atoms integer) returns boolean
  language plpgsql stable set search_path = ''
as $$
declare
  c_max_atoms constant integer := 200000;
begin
  if p_atoms > c_max_atoms then
    raise exception using errcode = 'TH006', message = format(
      'more than %s combinations of groups and buckets; ask for longer buckets, a shorter time or other dimensions', c_max_atoms
    );
  end if;
  return true;
end
$$;

comment on function app.may_add_up(integer) is 'Whether so many atoms are few enough to be worked with; an error if not';
grant execute on function app.may_add_up(integer) to tally_query;

reset role;
