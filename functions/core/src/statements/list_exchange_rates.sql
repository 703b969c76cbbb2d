-- GET /v1/exchange-rates.
select api.list_exchange_rates(
  $1::text, $2::text::date, $3::text::date, $4::text[], $5::text::date, $6::text, $7::integer
)
