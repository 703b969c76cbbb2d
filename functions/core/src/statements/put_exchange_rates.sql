-- PUT /v1/exchange-rates.
select api.put_exchange_rates($1::text, $2::text, $3::text, $4::text)
