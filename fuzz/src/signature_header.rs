//! The headers of a signed webhook.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::{Duration, UNIX_EPOCH};
use tally_core::identity::text_secret::TextSecrets;
use tally_core::identity::webhook::WebhookSecrets;
use tally_core::identity::workos;

const KEY: &[u8] = b"the secret of the provider 12345";
const OTHER: &[u8] = b"a secret of somebody else 123456";
const NOW: u64 = 1_700_000_000;
/// Stands in a header for the signature that fits.
const PLACEHOLDER: &[u8] = b"{sig}";
/// The same for WorkOS, over whichever time the header has.
const WORKOS_PLACEHOLDER: &[u8] = b"{hex}";

/// Lines `name: value` up to an empty one, and the body. Nothing is accepted unless the signature by the secret stands in a
/// header, and never by another secret.
pub fn signature_header(data: &[u8]) {
    let (head, body) = split(data);
    let [id, timestamp] = ["id", "timestamp"].map(|name| value(head, name).unwrap_or_default());
    let signature = BASE64_STANDARD.encode(super::mac(KEY, &[id, b".", timestamp, b".", body]));
    let time = workos_time(value_of(head, workos::HEADER).unwrap_or_default());
    let hex: String = super::mac(KEY, &[time, b".", body]).iter().map(|byte| format!("{byte:02x}")).collect();
    let headers = headers(head, &signature, &hex);
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    assert!(secrets(OTHER).verify(&headers, body, now).is_err(), "accepted without the secret: {headers:?}");
    if secrets(KEY).verify(&headers, body, now).is_ok() {
        let unpadded = signature.trim_end_matches('=');
        let signed = headers.values().any(|value| String::from_utf8_lossy(value.as_bytes()).contains(unpadded));
        assert!(signed, "accepted without a signature: {headers:?}");
        let sent: u64 = String::from_utf8_lossy(timestamp).parse().unwrap_or_default();
        assert!(sent.abs_diff(NOW) <= 300, "accepted out of time: {headers:?}");
    }
    let of_workos = |key| workos::verify(&text_secrets(key), &headers, body, now);
    assert!(of_workos(OTHER).is_err(), "accepted without the secret of WorkOS: {headers:?}");
    if of_workos(KEY).is_ok() {
        let given = headers.get(workos::HEADER).map(|value| String::from_utf8_lossy(value.as_bytes()).to_lowercase());
        assert!(given.is_some_and(|given| given.contains(&hex)), "accepted without a signature: {headers:?}");
        let sent: u64 = String::from_utf8_lossy(time).parse().unwrap_or_default();
        assert!(sent.abs_diff(NOW * 1_000) <= 180_000, "accepted out of time: {headers:?}");
    }
}

fn text_secrets(key: &[u8]) -> TextSecrets {
    match TextSecrets::parse(&String::from_utf8_lossy(key), workos::MIN_SECRET_BYTES) {
        Ok(secrets) => secrets,
        Err(error) => panic!("the secret of this test: {error}"),
    }
}

/// The time in a header of WorkOS: the first there is.
fn workos_time(header: &[u8]) -> &[u8] {
    let mut parts = header.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    parts.find_map(|part| part.strip_prefix(b"t=")).unwrap_or_default()
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
    ["webhook-", "svix-"].iter().find_map(|prefix| value_of(head, &format!("{prefix}{name}")))
}

fn value_of<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    lines(head).find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
}

fn headers(head: &[u8], signature: &str, hex: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines(head).take(64) {
        let value = replaced(&replaced(value, PLACEHOLDER, signature), WORKOS_PLACEHOLDER, hex);
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(&value)) {
            headers.append(name, value);
        }
    }
    headers
}

fn replaced(value: &[u8], placeholder: &[u8], signature: &str) -> Vec<u8> {
    match value.windows(placeholder.len()).position(|found| found == placeholder) {
        Some(start) => [&value[..start], signature.as_bytes(), &value[start + placeholder.len()..]].concat(),
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
        let headers = headers(head.as_bytes(), &signature, "");
        secrets(KEY).verify(&headers, b"{}", UNIX_EPOCH + Duration::from_secs(NOW)).unwrap();
        signature_header(format!("{head}\n\n{{}}").as_bytes());
    }
    #[test]
    fn a_placeholder_of_workos_reaches_acceptance() {
        let time = NOW * 1_000;
        let head = format!("workos-signature: t={time}, v1={{hex}}");
        let mac = crate::mac(KEY, &[time.to_string().as_bytes(), b".{}"]);
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        let headers = headers(head.as_bytes(), "", &hex);
        workos::verify(&text_secrets(KEY), &headers, b"{}", UNIX_EPOCH + Duration::from_secs(NOW)).unwrap();
        signature_header(format!("{head}\n\n{{}}").as_bytes());
    }
}
