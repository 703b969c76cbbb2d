-- Refuses to answer where money cannot be converted, and names the first day of it.
--
-- Errors: TH031 the rate of a day is missing.

set role tally_owner;

create or replace function app.check_rates(p_questions app.question[], p_factors app.factor[]) returns void
  language plpgsql stable set search_path = ''
as $$
declare
  v_missing record;
begin
  select q.label, f.currency, q.currency as target, f.day
  into v_missing
  from unnest(p_factors) as f
  join unnest(p_questions) as q on q.number = f.question
  where f.factor is null
  order by f.question, f.day, f.currency collate "C"
  limit 1;
  if v_missing.day is not null then
    raise exception using errcode = 'TH031', message = format(
      '%sno exchange rate from %s to %s on %s', v_missing.label, v_missing.currency, v_missing.target, v_missing.day
    );
  end if;
end
$$;

comment on function app.check_rates(app.question[], app.factor[]) is 'Refuses to answer where money cannot be converted';
grant execute on function app.check_rates(app.question[], app.factor[]) to tally_query;

reset role;
