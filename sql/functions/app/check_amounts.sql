-- Refuses to work with too many amounts.
--
--   p_amounts   of buckets and of whole ranges, which do not count
--
-- Errors: TH006.

set role tally_owner;

create or replace function app.check_amounts(p_amounts app.atom[]) returns void
  language plpgsql stable set search_path = ''
as $$
declare
  c_max_amounts constant integer := 200000;
begin
  if cardinality(p_amounts) > c_max_amounts
    and (select count(*) from unnest(p_amounts) as a where a.bucket > 0) > c_max_amounts
  then
    raise exception using errcode = 'TH006', message = format(
      'more than %s combinations of groups and buckets; ask for longer buckets, a shorter time or other dimensions', c_max_amounts
    );
  end if;
end
$$;

comment on function app.check_amounts(app.atom[]) is 'Refuses to work with too many amounts';
grant execute on function app.check_amounts(app.atom[]) to tally_query;

reset role;
