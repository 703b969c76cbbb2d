-- GET /v1/metrics.
select api.list_metrics($1::text)
