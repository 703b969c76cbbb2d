-- POST /v1/events/quarantine/discard.
select api.discard_quarantine($1::text, $2::text)
