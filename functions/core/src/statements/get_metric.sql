-- GET /v1/metrics/{key}.
select api.get_metric($1::text, $2::text)
