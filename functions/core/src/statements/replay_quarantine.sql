-- POST /v1/events/quarantine/replay.
select api.replay_quarantine($1::text, $2::text, $3::text, $4::boolean)
