-- By what money of each currency and day is to be multiplied, for queries that ask for a currency: the rate of that currency over the
-- rate of the other, both for a euro, rounded to 18 places.

set role tally_owner;

create or replace function app.question_factors(p_questions app.question[], p_ranges app.question_range[]) returns app.factor[]
  language plpgsql stable set search_path = '' set jit = off
as $$
begin
  return array(
    with target as materialized (
      select
        q.number as question, q.currency,
        min(r.starts_at - interval '1 day')::date as first_day, max(r.ends_at + interval '1 day')::date as last_day
      from unnest(p_questions) as q
      join unnest(p_ranges) as r on r.question = q.number
      where q.currency is not null
      group by 1, 2
    ),
    rate as materialized (
      select r.currency, r.day, r.rate
      from app.rates r
      where r.day between (select min(t.first_day) from target t) and (select max(t.last_day) from target t)
      union all
      select 'EUR', d.day::date, 1
      from (select min(t.first_day) as first_day, max(t.last_day) as last_day from target t) as t
      cross join lateral generate_series(t.first_day, t.last_day, interval '1 day') as d(day)
    )
    select row(t.question, s.currency, s.day, round(g.rate / s.rate, 18))::app.factor
    from target t
    join rate g on g.currency = t.currency and g.day between t.first_day and t.last_day
    join rate s on s.day = g.day
    where s.currency <> t.currency
    union all
    -- What is in the currency already needs no rate.
    select row(t.question, t.currency, d.day::date, 1)::app.factor
    from target t
    cross join lateral generate_series(t.first_day, t.last_day, interval '1 day') as d(day)
  );
end
$$;

comment on function app.question_factors(app.question[], app.question_range[]) is 'By what money of each currency and day is to be multiplied, for queries that ask for a currency';
grant execute on function app.question_factors(app.question[], app.question_range[]) to tally_query;

reset role;
