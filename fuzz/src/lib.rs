//! What must hold whatever strangers send: signatures, bodies of webhooks, access tokens, events.
//!
//! Each function takes any bytes and panics where a promise is broken. libFuzzer searches for such bytes (`fuzz/run`), and
//! the tests go through the committed corpus and random changes of it, on every machine.

mod access_token;
mod encodings;
mod events;
mod promises;
mod signature_header;
mod webhook_body;

pub use access_token::access_token;
pub use encodings::{gzip_body, zstd_body};
pub use events::{cloud_events, events_json, events_ndjson};
pub use signature_header::signature_header;
pub use webhook_body::webhook_body;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// HMAC-SHA256, apart from core's own.
fn mac(key: &[u8], message: &[&[u8]]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    for part in message {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::panic::{catch_unwind, resume_unwind};
    use std::path::Path;

    /// Random changes of each file of the corpus.
    const CHANGES: usize = 300;

    /// A small generator: the same changes each time, so that what fails here fails again.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 >> 33).unwrap() % end.max(1)
        }
    }

    fn changed(seed: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
        let mut data = seed.to_vec();
        for _ in 0..=random.below(4) {
            let (from, to) = (random.below(data.len() + 1), random.below(data.len() + 1));
            let (from, to) = (from.min(to), from.max(to));
            match random.below(5) {
                0 if from < data.len() => data[from] ^= 1 << random.below(8),
                1 => data.insert(from, b"{}[]\",:.\\ \n\0=-+e9\xff"[random.below(18)]),
                2 => drop(data.drain(from..to)),
                3 => data.extend_from_within(from..to),
                _ => {
                    let start = random.below(other.len() + 1);
                    let piece = other[start..].iter().take(random.below(40)).copied().collect::<Vec<_>>();
                    data.splice(from..from, piece);
                }
            }
        }
        data
    }

    /// Says what it was that broke a promise.
    fn try_on(file: &Path, data: &[u8], target: fn(&[u8])) {
        if let Err(broken) = catch_unwind(|| target(data)) {
            println!("{}, or a change of it: {}", file.display(), data.escape_ascii());
            resume_unwind(broken);
        }
    }

    fn go_through(name: &str, target: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let seeds: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
        assert!(seeds.len() > 10, "the corpus of {name} is not there");
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for (file, seed) in files.iter().zip(&seeds) {
            try_on(file, seed, target);
            for _ in 0..CHANGES {
                let data = changed(seed, &seeds[random.below(seeds.len())], &mut random);
                try_on(file, &data, target);
            }
        }
    }

    #[test]
    fn signature_headers() {
        go_through("signature_header", signature_header);
    }

    #[test]
    fn webhook_bodies() {
        go_through("webhook_body", webhook_body);
    }

    #[test]
    fn access_tokens() {
        go_through("access_token", access_token);
    }
    #[test]
    fn events_as_json() {
        go_through("events_json", events_json);
    }

    #[test]
    fn events_as_ndjson() {
        go_through("events_ndjson", events_ndjson);
    }

    #[test]
    fn cloud_events_in_each_mode() {
        go_through("cloud_events", cloud_events);
    }

    #[test]
    fn gzip_bodies() {
        go_through("gzip_body", gzip_body);
    }

    #[test]
    fn zstd_bodies() {
        go_through("zstd_body", zstd_body);
    }
}
