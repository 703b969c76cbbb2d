-- Refuses to answer where money could not be converted, and names the first day of it.
--
-- Errors: TH031 the rate of a day is missing.

set role tally_owner;

create or replace function app.check_rates(p_questions app.question[], p_amounts app.amount[]) returns void
  language plpgsql stable set search_path = ''
as $$
declare
  v_missing record;
begin
  select a.question, min(a.missing_rate) as rate
  into v_missing
  from unnest(p_amounts) as a
  where a.missing_rate is not null
  group by a.question
  order by a.question
  limit 1;
  if v_missing.rate is not null then
    raise exception using errcode = 'TH031', message = format(
      '%sno exchange rate from %s to %s on %s',
      (p_questions[v_missing.question]).label, split_part(v_missing.rate, ' ', 2), (p_questions[v_missing.question]).currency,
      split_part(v_missing.rate, ' ', 1)
    );
  end if;
end
$$;

comment on function app.check_rates(app.question[], app.amount[]) is 'Refuses to answer where money could not be converted';
grant execute on function app.check_rates(app.question[], app.amount[]) to tally_query;

reset role;
