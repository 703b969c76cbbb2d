-- POST /hooks/access-token.
select api.access_token_claims($1::text::uuid, $2::text, $3::text, $4::boolean)
