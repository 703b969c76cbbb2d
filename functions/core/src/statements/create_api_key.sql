-- POST /v1/api-keys.
select api.create_api_key($1::text, $2::text::uuid, $3::text, $4::text, $5::text, $6::text[], $7::text::uuid, $8::text::timestamptz)
