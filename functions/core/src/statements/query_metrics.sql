-- POST /v1/query.
select api.query_metrics($1::text, $2::text)
