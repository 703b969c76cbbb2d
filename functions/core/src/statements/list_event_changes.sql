-- GET /v1/events/changes.
select api.list_event_changes(
  $1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::integer
)
