//! libFuzzer on [`tally_fuzz::events_json`]: events as JSON.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tally_fuzz::events_json(data));
