-- The range that a range is compared with.
--
--   p_query   the query, its "compare" being {"period": "previous_period"}; {"period": "previous_year"}, with "align": "weekday" 364 days earlier; or
--               {"from", "to"}, times as app.local_instant takes them
--
-- The previous period has as many months where the range is one of whole local months, as many days where it is one of whole
-- days, and otherwise lasts as long.
--
-- Errors: TH006 the end is not after the start, or it begins before 1970.

set role tally_owner;

create or replace function app.compared_range(
  p_from timestamptz, p_to timestamptz, p_zone text, p_query jsonb, out starts_at timestamptz, out ends_at timestamptz
)
  language plpgsql stable set search_path = ''
as $$
declare
  v_compare constant jsonb := p_query -> 'compare';
  v_from constant timestamp := p_from at time zone p_zone;
  v_to constant timestamp := p_to at time zone p_zone;
  v_has_whole_days constant boolean :=
    p_from = app.clock_instant(v_from::date, p_zone) and p_to = app.clock_instant(v_to::date, p_zone);
  c_year constant interval := interval '1 year';
  v_year constant interval := case v_compare ->> 'align' when 'weekday' then interval '364 days' else c_year end;
  v_first timestamp;
  v_end timestamp;
  v_is_cut boolean;
  v_months integer;
begin
  if v_compare ? 'from' then
    starts_at := app.local_instant(v_compare ->> 'from', p_zone);
    ends_at := app.local_instant(v_compare ->> 'to', p_zone);
  elsif v_compare ->> 'period' = 'previous_year' then
    v_first := app.clock_time(p_query ->> 'from', p_zone);
    v_end := app.clock_time(p_query ->> 'to', p_zone);
    starts_at := app.clock_instant(v_first - v_year, p_zone);
    -- What begins before 29 February and ends on it has all of the 28th, and other years no more of it.
    v_is_cut := v_year = c_year and to_char(v_end, 'MMDD') = '0229' and v_first::date < v_end::date;
    v_end := v_end - v_year;
    ends_at := app.clock_instant(case when v_is_cut then v_end::date + 1 else v_end end, p_zone);
  elsif v_has_whole_days then
    if extract(day from v_from) = 1 and extract(day from v_to) = 1 then
      -- Between dates: the first midnight of a month can be left out.
      v_months := extract(year from age(v_to::date, v_from::date)) * 12 + extract(month from age(v_to::date, v_from::date));
      starts_at := app.clock_instant((v_from::date - make_interval(months => v_months))::date, p_zone);
    else
      starts_at := app.clock_instant(v_from::date - (v_to::date - v_from::date), p_zone);
    end if;
    ends_at := p_from;
  else
    starts_at := p_from - (p_to - p_from);
    ends_at := p_from;
  end if;
  if starts_at >= ends_at then
    raise exception using errcode = 'TH006', message = 'of the range compared with, from must be before to';
  end if;
  if starts_at at time zone p_zone < '1970-01-01' then
    raise exception using errcode = 'TH006', message = 'the range compared with begins before 1970';
  end if;
end
$$;

comment on function app.compared_range(timestamptz, timestamptz, text, jsonb) is 'The range that a range is compared with';
grant execute on function app.compared_range(timestamptz, timestamptz, text, jsonb) to tally_query;

reset role;
