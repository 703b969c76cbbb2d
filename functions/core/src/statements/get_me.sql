-- GET /v1/me.
select api.get_me($1::text::uuid)
