-- GET /v1/api-keys.
select api.list_api_keys($1::text, $2::integer, $3::text::timestamptz, $4::text::uuid)
