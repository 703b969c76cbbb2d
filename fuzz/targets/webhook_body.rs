//! libFuzzer on [`tally_fuzz::webhook_body`]: bodies of webhooks.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tally_fuzz::webhook_body(data));
