//! libFuzzer on [`tally_fuzz::access_token`]: access tokens.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tally_fuzz::access_token(data));
