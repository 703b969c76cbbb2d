-- A batch tells only how long its texts are, as where each begins follows from that.

set role tally_owner;

drop function if exists api.ingest_events(
  text, text[], text[], text[], text[], text[], text[], integer[], text, text, bigint[], bytea, integer[], integer[], text,
  text, boolean
);

reset role;
