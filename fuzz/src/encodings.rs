//! Compressed bodies.

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::io::Write as _;
use tally_core::events::{Encoding, MAX_BODY_BYTES};

/// Any bytes decode to no more than the bound or to a problem, and what a gzip encoder makes of them to themselves.
pub fn gzip_body(data: &[u8]) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let encoded = encoder.write_all(data).and_then(|()| encoder.finish());
    assert_kept(Encoding::Gzip, data, &encoded.unwrap_or_default());
}

/// Any bytes decode to no more than the bound or to a problem, and what a zstd encoder makes of them to themselves.
pub fn zstd_body(data: &[u8]) {
    assert_kept(Encoding::Zstd, data, &compress_to_vec(data, CompressionLevel::Fastest));
}

fn assert_kept(encoding: Encoding, data: &[u8], encoded: &[u8]) {
    if let Some(decoded) = decode(encoding, data) {
        assert!(decoded.len() <= MAX_BODY_BYTES, "{} bytes", decoded.len());
        // Decoded once more in two copies, it is twice as long or too long.
        let twice = decode(encoding, &[data, data].concat());
        assert_eq!(twice.map(|twice| twice.len()), Some(2 * decoded.len()).filter(|&len| len <= MAX_BODY_BYTES));
    }
    assert_eq!(decode(encoding, encoded).as_deref(), Some(data), "{encoding:?} and back");
    assert_eq!(decode(encoding, &encoded[..encoded.len() - 1]), None, "cut off");
    assert_eq!(decode(encoding, &[encoded, b"\0"].concat()), None, "something after the end");
}

fn decode(encoding: Encoding, body: &[u8]) -> Option<Bytes> {
    encoding.decode(Bytes::copy_from_slice(body)).ok()
}
