-- Removes exchange rates of the organization that the user of the request manages: those from p_from to before p_to, of some
-- currencies, or of all where p_currencies is null. Answers how many; those for all are nobody's to remove.
--
-- Locked in the order of the key, as app.store_exchange_rates does.
--
-- Security definer: see there.
--
-- Errors: TH003 from app.managed_org_id; TH032 more than one request may remove, and then none is.

set role tally_owner;

create or replace function app.erase_exchange_rates(p_from date, p_to date, p_currencies text[]) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  c_max_rates constant integer := 10000;
  v_org_id constant pg_catalog.uuid := app.managed_org_id();
  v_erased integer;
begin
  with doomed as (
    select r.scope_id, r.currency, r.day
    from public.exchange_rates r
    where r.org_id = v_org_id and r.day >= p_from and r.day < p_to
      and (p_currencies is null or r.currency = any (p_currencies))
    order by r.currency, r.day
    limit c_max_rates + 1
    for update
  )
  delete from public.exchange_rates r
  using doomed d
  where r.scope_id = d.scope_id and r.currency = d.currency and r.day = d.day;
  get diagnostics v_erased = row_count;
  if v_erased > c_max_rates then
    raise exception using errcode = 'TH032', message = format(
      'There are more than %s rates to remove, the most that one request removes: name fewer days or currencies.', c_max_rates
    );
  end if;
  return v_erased;
end
$$;

comment on function app.erase_exchange_rates(date, date, text[]) is
  'Removes exchange rates of the organization that the user of the request manages';
grant execute on function app.erase_exchange_rates(date, date, text[]) to tally_query;

reset role;
