-- DELETE /v1/metrics/{key}.
select api.delete_metric($1::text, $2::text)
