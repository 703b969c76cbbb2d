-- PUT /v1/metrics/{key}.
select api.put_metric($1::text, $2::text, $3::text)
