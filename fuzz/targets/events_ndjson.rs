//! libFuzzer on [`tally_fuzz::events_ndjson`]: events as NDJSON.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tally_fuzz::events_ndjson(data));
