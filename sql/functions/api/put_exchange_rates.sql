-- PUT /v1/exchange-rates: stores rates of the organization that the user manages; the same again changes nothing.
--
--   p_days, p_currencies, p_rates   of each rate a line, no currency and day twice
--
-- Answers {"stored", "from", "to"}: how many there were, and the first and the last of their days.
--
-- Errors: TH001, TH002 from app.assume_authority; TH003 from app.managed_org_id.

set role tally_owner;

create or replace function api.put_exchange_rates(p_authority text, p_days text, p_currencies text, p_rates text)
  returns text
  language plpgsql volatile set search_path = ''
as $$
declare
  v_days constant date[] := string_to_array(p_days, E'\n')::date[];
begin
  perform app.assume_authority(p_authority);
  perform app.store_exchange_rates(
    v_days, string_to_array(p_currencies, E'\n'), string_to_array(p_rates, E'\n')::numeric[]
  );
  return (
    select jsonb_build_object('stored', count(*), 'from', min(u.day), 'to', max(u.day))::text from unnest(v_days) as u(day)
  );
end
$$;

comment on function api.put_exchange_rates(text, text, text, text) is 'PUT /v1/exchange-rates';
grant execute on function api.put_exchange_rates(text, text, text, text) to tally_query;

reset role;
