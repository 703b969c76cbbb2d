//! Signatures of WorkOS: `WorkOS-Signature: t=<milliseconds>, v1=<hex>`, HMAC-SHA256 over `t.body`.

use super::text_secret::TextSecrets;
use crate::problem::{Kind, Problem};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::Sha256;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The name of the header.
pub const HEADER: &str = "workos-signature";
/// Secrets are WorkOS' own text; shorter ones it does not make.
pub const MIN_SECRET_BYTES: usize = 16;
/// What WorkOS' own library allows a webhook to be late. Here it may not be early by more, either.
const TOLERANCE: Duration = Duration::from_secs(3 * 60);
/// Signatures looked at in one header.
const MAX_SIGNATURES: usize = 8;

/// Whether one of the secrets signed this body, within three minutes of `now`.
pub fn verify(secrets: &TextSecrets, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Result<(), Problem> {
    let header = headers.get(HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let time = parts().find_map(|(name, value)| (name == "t").then_some(value)).unwrap_or_default();
    check_time(time, now)?;
    let mut given = parts().filter(|(name, _)| *name == "v1").take(MAX_SIGNATURES).filter_map(|(_, value)| hex(value));
    if given.any(|signature| secrets.iter().any(|secret| signed(secret, time, body, &signature))) {
        return Ok(());
    }
    let detail = "The signature of WorkOS does not fit: check that it and this service have the same secret.";
    Err(Problem::new(Kind::InvalidSignature, detail))
}

fn signed(secret: &[u8], time: &str, body: &[u8], signature: &[u8]) -> bool {
    Hmac::<Sha256>::new_from_slice(secret).is_ok_and(|mut mac| {
        [time.as_bytes(), b".", body].into_iter().for_each(|part| mac.update(part));
        // Compares in constant time.
        mac.verify_slice(signature).is_ok()
    })
}

fn check_time(time: &str, now: SystemTime) -> Result<(), Problem> {
    let sent: u64 = time.parse().map_err(|_| {
        Problem::new(Kind::InvalidSignature, "The header `WorkOS-Signature` has no time in milliseconds, `t=`.")
    })?;
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    if now.abs_diff(Duration::from_millis(sent)) > TOLERANCE {
        let detail = "The webhook was signed more than three minutes away from this service's clock; send it anew.";
        return Err(Problem::new(Kind::StaleTimestamp, detail));
    }
    Ok(())
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.chars().map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high * 16 + low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "workos-test-secret-1";
    const TIME: u64 = 1_715_690_221_123;
    const BODY: &[u8] = br#"{"event":"user.created"}"#;
    /// As Python's `hmac.new(secret, f"{time}.{body}".encode(), "sha256").hexdigest()` has it.
    const SIGNATURE: &str = "fba05e2e1848048433d2104c95fdeb55717dc332230819cf84123b41ee0ec927";

    fn verdict(secret: &str, header: &str, offset: i64) -> Option<Kind> {
        let secrets = TextSecrets::parse(secret, MIN_SECRET_BYTES).unwrap();
        let headers = HeaderMap::from_iter([(HEADER.parse().unwrap(), header.parse().unwrap())]);
        let now = UNIX_EPOCH + Duration::from_millis(TIME.checked_add_signed(offset).unwrap());
        verify(&secrets, &headers, BODY, now).err().map(|problem| problem.kind())
    }

    #[test]
    fn its_own_signature_verifies() {
        let good = format!("t={TIME}, v1={SIGNATURE}");
        let wrong = "0".repeat(64);
        assert_eq!(verdict(SECRET, &good, 0), None);
        assert_eq!(verdict(&format!("another-secret-of-theirs|{SECRET}"), &good, 0), None);
        for header in [format!("t={TIME},v1={SIGNATURE}"), format!("t={TIME}, v1={wrong}, v1={SIGNATURE}")] {
            assert_eq!(verdict(SECRET, &header, 0), None, "{header}");
        }
        assert_eq!(verdict("another-secret-of-theirs", &good, 0), Some(Kind::InvalidSignature));
        assert_eq!(verdict("", &good, 0), Some(Kind::InvalidSignature));
    }

    #[test]
    fn three_minutes_and_no_more() {
        let good = format!("t={TIME}, v1={SIGNATURE}");
        assert_eq!((verdict(SECRET, &good, 180_000), verdict(SECRET, &good, -180_000)), (None, None));
        assert_eq!(verdict(SECRET, &good, 180_001), Some(Kind::StaleTimestamp));
        assert_eq!(verdict(SECRET, &good, -180_001), Some(Kind::StaleTimestamp));
    }

    #[test]
    fn what_is_not_the_whole_header_is_refused() {
        for header in [
            String::new(),
            format!("v1={SIGNATURE}"),
            format!("t=soon, v1={SIGNATURE}"),
            format!("t={TIME}"),
            format!("t={TIME}, v1="),
            format!("t={TIME}, v1={}", &SIGNATURE[..16]),
            format!("t={TIME}, v1={SIGNATURE}0"),
            format!("t={TIME}, v1={}", SIGNATURE.replace('a', "é")),
            format!("t={}, v1={SIGNATURE}", TIME + 1),
            format!("t={TIME}, v2={SIGNATURE}"),
        ] {
            assert_eq!(verdict(SECRET, &header, 0), Some(Kind::InvalidSignature), "{header}");
        }
    }
}
