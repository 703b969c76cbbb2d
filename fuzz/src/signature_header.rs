//! The headers of a signed webhook.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::{Duration, UNIX_EPOCH};
use tally_core::identity::webhook::WebhookSecrets;

const KEY: &[u8] = b"the secret of the provider 12345";
const OTHER: &[u8] = b"a secret of somebody else 123456";
const NOW: u64 = 1_700_000_000;
/// Stands in a header for the signature that fits.
const PLACEHOLDER: &[u8] = b"{sig}";

/// Lines `name: value` up to an empty one, and the body. Nothing is accepted unless the signature by the secret stands in a
/// header, and never by another secret.
pub fn signature_header(data: &[u8]) {
    let (head, body) = split(data);
    let [id, timestamp] = ["id", "timestamp"].map(|name| value(head, name).unwrap_or_default());
    let signature = BASE64_STANDARD.encode(super::mac(KEY, &[id, b".", timestamp, b".", body]));
    let headers = headers(head, signature.as_bytes());
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    assert!(secrets(OTHER).verify(&headers, body, now).is_err(), "accepted without the secret: {headers:?}");
    if secrets(KEY).verify(&headers, body, now).is_ok() {
        let unpadded = signature.trim_end_matches('=');
        let signed = headers.values().any(|value| String::from_utf8_lossy(value.as_bytes()).contains(unpadded));
        assert!(signed, "accepted without a signature: {headers:?}");
        let sent: u64 = String::from_utf8_lossy(timestamp).parse().unwrap_or_default();
        assert!(sent.abs_diff(NOW) <= 300, "accepted out of time: {headers:?}");
    }
}

fn secrets(key: &[u8]) -> WebhookSecrets {
    match WebhookSecrets::parse(&format!("v1,whsec_{}", BASE64_STANDARD.encode(key))) {
        Ok(secrets) => secrets,
        Err(error) => panic!("the secret of this test: {error}"),
    }
}

fn split(data: &[u8]) -> (&[u8], &[u8]) {
    match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (data, &[]),
    }
}

fn lines(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    head.split(|&byte| byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        Some((&line[..colon], line[colon + 1..].trim_ascii()))
    })
}

/// The value that is signed: that of the names that are read first.
fn value<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    ["webhook-", "svix-"].iter().find_map(|prefix| {
        let name = format!("{prefix}{name}");
        lines(head).find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    })
}

fn headers(head: &[u8], signature: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines(head).take(64) {
        let value = replaced(value, signature);
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(&value)) {
            headers.append(name, value);
        }
    }
    headers
}

fn replaced(value: &[u8], signature: &[u8]) -> Vec<u8> {
    match value.windows(PLACEHOLDER.len()).position(|found| found == PLACEHOLDER) {
        Some(start) => [&value[..start], signature, &value[start + PLACEHOLDER.len()..]].concat(),
        None => value.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_reaches_acceptance() {
        let head = format!("webhook-id: a\nwebhook-timestamp: {NOW}\nwebhook-signature: v1,{{sig}}");
        let signature = BASE64_STANDARD.encode(crate::mac(KEY, &[b"a.", NOW.to_string().as_bytes(), b".{}"]));
        let headers = headers(head.as_bytes(), signature.as_bytes());
        secrets(KEY).verify(&headers, b"{}", UNIX_EPOCH + Duration::from_secs(NOW)).unwrap();
        signature_header(format!("{head}\n\n{{}}").as_bytes());
    }
}
