-- DELETE /v1/exchange-rates: removes rates of the organization that the user manages, from p_from to before p_to, of some
-- currencies, or of all where p_currencies is null.
--
-- Answers {"deleted"}.
--
-- Errors: TH001, TH002 from app.assume_authority; TH003 from app.managed_org_id; TH032 from app.erase_exchange_rates.

set role tally_owner;

create or replace function api.delete_exchange_rates(p_authority text, p_from date, p_to date, p_currencies text[])
  returns text
  language plpgsql volatile set search_path = ''
as $$
begin
  perform app.assume_authority(p_authority);
  return jsonb_build_object('deleted', app.erase_exchange_rates(p_from, p_to, p_currencies))::text;
end
$$;

comment on function api.delete_exchange_rates(text, date, date, text[]) is 'DELETE /v1/exchange-rates';
grant execute on function api.delete_exchange_rates(text, date, date, text[]) to tally_query;

reset role;
