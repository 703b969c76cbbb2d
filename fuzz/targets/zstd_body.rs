//! libFuzzer on [`tally_fuzz::zstd_body`]: bodies compressed by zstd.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tally_fuzz::zstd_body(data));
