-- POST /v1/events/delete.
select api.delete_events($1::text, $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint, $7::boolean)
