-- GET /v1/events/quarantine.
select api.list_quarantine($1::text, $2::text, $3::text, $4::text, $5::integer)
