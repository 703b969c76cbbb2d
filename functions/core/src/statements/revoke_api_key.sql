-- DELETE /v1/api-keys/{id}.
select api.revoke_api_key($1::text, $2::text::uuid)
