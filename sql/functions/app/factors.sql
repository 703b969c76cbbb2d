-- By what money of each currency and day is to be multiplied: the rate of the currency that is asked for over the rate of the other,
-- both for a euro, rounded to 18 places. Null where one of them is missing.
--
-- The rates are looked up one by one, by plain columns, as row-level security needs it to use an index.

set role tally_owner;

create or replace function app.factors(p_questions app.question[], p_atoms app.atom[]) returns app.factor[]
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_generic_plan' set jit = off
as $$
declare
  -- One, with places: Postgres divides to 16 digits or to as many places as the numerator has, whichever is more.
  c_places constant numeric := 1.000000000000000000000000000000;
begin
  return array(
    with asked as materialized (
      select distinct a.question, q.currency as target, a.currency, a.day
      from unnest(p_atoms) as a
      join unnest(p_questions) as q on q.number = a.question
      where a.day is not null
    ),
    wanted as materialized (
      select distinct w.currency, w.day
      from (select a.target, a.day from asked a union select a.currency, a.day from asked a) as w(currency, day)
    ),
    rate as materialized (
      select w.currency, w.day, case w.currency when 'EUR' then 1 else r.rate end as rate
      from wanted w
      left join lateral (
        select r.rate from app.rates r where r.currency = w.currency and r.day = w.day offset 0
      ) as r on true
    )
    select row(
      a.question, a.currency, a.day, case when a.currency = a.target then 1 else round(t.rate * c_places / s.rate, 18) end
    )::app.factor
    from asked a
    join rate t on t.currency = a.target and t.day = a.day
    join rate s on s.currency = a.currency and s.day = a.day
  );
end
$$;

comment on function app.factors(app.question[], app.atom[]) is 'By what money of each currency and day is to be multiplied';
grant execute on function app.factors(app.question[], app.atom[]) to tally_query;

reset role;
