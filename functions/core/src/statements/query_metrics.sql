-- POST /v1/query.
select api.query_metrics($1::text, $2::text[], $3::text[], $4::text, $5::text, $6::text, $7::text, $8::boolean)
