-- Stores exchange rates of the organization that the user of the request manages; what is there for the same currency and day is
-- replaced, and what is the same already stays.
--
--   p_days, p_currencies, p_rates   of one length, no currency and day twice
--
-- In the order of the key, so that two who load the same wait for each other and never deadlock.
--
-- Security definer: no function role may write rates but here, and only of an organization that its caller manages.
--
-- Errors: TH003 from app.managed_org_id.

set role tally_owner;

create or replace function app.store_exchange_rates(p_days date[], p_currencies text[], p_rates numeric[]) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org_id constant pg_catalog.uuid := app.managed_org_id();
begin
  insert into public.exchange_rates as r (org_id, currency, day, rate)
  select v_org_id, g.currency, g.day, g.rate
  from unnest(p_days, p_currencies, p_rates) as g(day, currency, rate)
  order by g.currency, g.day
  on conflict (scope_id, currency, day) do update set rate = excluded.rate, loaded_at = excluded.loaded_at
    where (r.rate, scale(r.rate)) is distinct from (excluded.rate, scale(excluded.rate));
end
$$;

comment on function app.store_exchange_rates(date[], text[], numeric[]) is
  'Stores exchange rates of the organization that the user of the request manages';
grant execute on function app.store_exchange_rates(date[], text[], numeric[]) to tally_query;

reset role;
