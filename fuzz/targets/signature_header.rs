//! libFuzzer on [`tally_fuzz::signature_header`]: signature headers.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tally_fuzz::signature_header(data));
