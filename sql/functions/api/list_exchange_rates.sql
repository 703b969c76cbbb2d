-- GET /v1/exchange-rates: the rates that count for the organization, by day and currency; its own before those for all.
--
--   p_from, p_to                  end-exclusive; null for any
--   p_currencies                  null for any
--   p_after_day, p_after_currency the last rate of the page before; null for the first page
--
-- Answers {"rates": [{"day", "currency", "rate", "own"}], "next_cursor"}; next_cursor, <day>.<currency>, is null on the last page.
--
-- A page of each, and of both what counts, as app.rates says it: so a page costs the same in a catalogue of decades. A rate that
-- is in the page is among the first so many of its own kind too.
--
-- Errors: TH001, TH002 from app.assume_authority; TH003 not allowed to read.

set role tally_owner;

create or replace function api.list_exchange_rates(
  p_authority text,
  p_from date,
  p_to date,
  p_currencies text[],
  p_after_day date,
  p_after_currency text,
  p_limit integer
) returns text
  language plpgsql volatile set search_path = '' set jit = off set plan_cache_mode = 'force_custom_plan'
as $$
declare
  v_org_id uuid;
  v_from date;
begin
  perform app.assume_authority(p_authority);
  if not app.may_read_metrics() then
    raise exception using errcode = 'TH003', message = 'the role may not read exchange rates';
  end if;

  v_org_id := app.org_id();
  v_from := greatest(p_from, p_after_day, '-infinity');
  return (
    with found as (
      select x.day, x.currency, x.rate, x.own
      from (
        (
          select r.day, r.currency, r.rate, true as own
          from public.exchange_rates r
          where r.org_id = v_org_id
            and r.day >= v_from and r.day < coalesce(p_to, 'infinity')
            and (p_currencies is null or r.currency = any (p_currencies))
            and (p_after_day is null or (r.day, r.currency) > (p_after_day, p_after_currency))
          order by r.day, r.currency
          limit p_limit + 1
        )
        union all
        (
          select r.day, r.currency, r.rate, false
          from public.exchange_rates r
          where r.org_id is null
            and r.day >= v_from and r.day < coalesce(p_to, 'infinity')
            and (p_currencies is null or r.currency = any (p_currencies))
            and (p_after_day is null or (r.day, r.currency) > (p_after_day, p_after_currency))
          -- Of one value, as its index has it.
          order by r.org_id, r.day, r.currency
          limit p_limit + 1
        )
      ) as x
    ),
    numbered as (
      select f.*, row_number() over (order by f.day, f.currency) as position
      from (select distinct on (day, currency) * from found order by day, currency, own desc) as f
    )
    select jsonb_build_object(
      'rates', coalesce(jsonb_agg(
        jsonb_build_object('day', n.day, 'currency', n.currency, 'rate', n.rate::text, 'own', n.own) order by n.position
      ) filter (where n.position <= p_limit), '[]'),
      'next_cursor', case when count(*) > p_limit then
        max(to_char(n.day, 'YYYY-MM-DD') || '.' || n.currency) filter (where n.position = p_limit)
      end
    )::text
    from numbered n
  );
end
$$;

comment on function api.list_exchange_rates(text, date, date, text[], date, text, integer) is 'GET /v1/exchange-rates';
grant execute on function api.list_exchange_rates(text, date, date, text[], date, text, integer) to tally_query;

reset role;
