//! A token as it came: what its header says, which nobody has vouched for yet.

use super::invalid;
use crate::object::Object;
use crate::problem::Problem;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

/// Longer than any header a server lets through; bytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A token whose header was read and nothing more.
///
/// Keys come from the variables alone: what a header may say of keys itself (`jwk`, `jku`, `x5c`, `x5u`) is not looked at.
#[derive(Debug)]
pub struct UnverifiedToken<'a> {
    text: &'a str,
    algorithm: Algorithm,
    key_id: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
}

fn is_there<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

impl<'a> UnverifiedToken<'a> {
    /// Reads the header, and refuses what no key could make acceptable.
    pub fn read(text: &'a str) -> Result<Self, Problem> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(invalid("The token is longer than any the provider makes."));
        }
        let header = header(text).ok_or_else(|| invalid("The token cannot be read."))?;
        // RFC 7515, 4.1.11: what is critical must be understood, and no extension is understood here.
        if header.crit {
            return Err(invalid("The token's `crit` asks for extensions that are not known here."));
        }
        let algorithm = match header.alg.as_str() {
            "HS256" => Algorithm::HS256,
            "ES256" => Algorithm::ES256,
            "RS256" => Algorithm::RS256,
            "EdDSA" => Algorithm::EdDSA,
            _ => return Err(invalid("The token's `alg` is not accepted here.")),
        };
        Ok(Self { text, algorithm, key_id: header.kid })
    }

    /// Whether the shared secret is to check it, and not a public key.
    pub fn is_symmetric(&self) -> bool {
        self.algorithm == Algorithm::HS256
    }

    /// The algorithm it names.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key it names.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// All of it.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }
}

fn header(text: &str) -> Option<Header> {
    let (header, _) = text.split_once('.')?;
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(header).ok()?).map(|Object(header)| header).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Result<(Algorithm, Option<String>), String> {
        let text = format!("{}.e30.", BASE64_URL_SAFE_NO_PAD.encode(header));
        let read = UnverifiedToken::read(&text);
        read.map(|token| (token.algorithm, token.key_id)).map_err(|problem| problem.detail().to_owned())
    }

    #[test]
    fn four_algorithms_are_known() {
        for (name, algorithm) in [
            ("HS256", Algorithm::HS256),
            ("ES256", Algorithm::ES256),
            ("RS256", Algorithm::RS256),
            ("EdDSA", Algorithm::EdDSA),
        ] {
            let header = format!(r#"{{"alg":"{name}","kid":"a"}}"#);
            assert_eq!(read(&header), Ok((algorithm, Some("a".to_owned()))));
        }
        for name in
            ["none", "None", "", "hs256", "HS384", "HS512", "ES384", "ES256K", "RS512", "PS256", "Ed25519", "dir"]
        {
            let detail = read(&format!(r#"{{"alg":"{name}"}}"#)).unwrap_err();
            assert!(detail.contains("`alg`"), "{name}: {detail}");
        }
    }

    #[test]
    fn extensions_are_refused() {
        for crit in [r#"["b64"]"#, r#"["exp"]"#, "[]", "null", "1"] {
            let detail = read(&format!(r#"{{"alg":"HS256","b64":false,"crit":{crit}}}"#)).unwrap_err();
            assert!(detail.contains("`crit`"), "{crit}: {detail}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for header in [
            "",
            "[]",
            r#"["HS256",null]"#,
            "{}",
            r#"{"alg":null}"#,
            r#"{"alg":["HS256"]}"#,
            r#"{"alg":"none","alg":"HS256"}"#,
            r#"{"alg":"HS256","kid":1}"#,
            r#"{"alg":"HS256","kid":"a","kid":"b"}"#,
            r#"{"alg":"HS256"} {}"#,
        ] {
            assert_eq!(read(header), Err("The token cannot be read.".to_owned()), "{header}");
        }
        for text in
            ["", "x", "eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiJ9==.e30.", "e30.e30.", "{\"alg\":\"HS256\"}.e30."]
        {
            assert!(UnverifiedToken::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_is_bounded() {
        let start = "eyJhbGciOiJIUzI1NiJ9.";
        let longest = format!("{start}{}", "x".repeat(MAX_TOKEN_BYTES - start.len()));
        assert!(UnverifiedToken::read(&longest).is_ok());
        assert!(UnverifiedToken::read(&format!("{longest}x")).is_err());
    }
}
