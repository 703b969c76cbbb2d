-- POST /v1/events.
select api.ingest_events(
  $1::text, $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::integer[], $9::text, $10::text,
  $11::bigint[], $12::bytea, $13::text, $14::text, $15::text, $16::boolean
)
