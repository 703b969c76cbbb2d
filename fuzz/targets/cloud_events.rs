//! libFuzzer on [`tally_fuzz::cloud_events`]: CloudEvents in each mode.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tally_fuzz::cloud_events(data));
