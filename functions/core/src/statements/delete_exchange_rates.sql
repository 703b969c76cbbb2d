-- DELETE /v1/exchange-rates.
select api.delete_exchange_rates($1::text, $2::text::date, $3::text::date, $4::text[])
