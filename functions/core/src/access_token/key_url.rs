//! Where keys may be fetched from: over TLS, or from this machine.

use http::Uri;

/// A URL that keys must not be fetched from.
#[derive(Debug, thiserror::Error)]
pub enum KeyUrlError {
    /// It is no URL.
    #[error("it is not a URL")]
    Form(#[source] http::uri::InvalidUri),
    /// Whoever sits between could put keys of their own into the answer.
    #[error("it must begin with https://, or with http:// and name a loopback host")]
    Insecure,
    /// It has a user name or password, which would not be sent.
    #[error("it must not have a user name or a password")]
    UserInfo,
}

/// Checks the URL of a key set.
pub fn check_key_url(url: &str) -> Result<Uri, KeyUrlError> {
    let uri: Uri = url.parse().map_err(KeyUrlError::Form)?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(KeyUrlError::UserInfo);
    }
    let is_loopback = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if is_loopback => Ok(uri),
        _ => Err(KeyUrlError::Insecure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tls_or_loopback_is_trusted() {
        for url in [
            "https://project.supabase.co/auth/v1/.well-known/jwks.json",
            "https://id.example:8443/keys?a=b",
            "http://127.0.0.1:54321/auth/v1/.well-known/jwks.json",
            "http://localhost/keys",
            "http://[::1]:80/keys",
        ] {
            assert!(check_key_url(url).is_ok(), "{url}");
        }
        for url in [
            "http://id.example/keys",
            "http://127.0.0.1.evil.example/keys",
            "http://localhost.evil.example/keys",
            "http://10.0.0.1/keys",
            "ftp://id.example/keys",
            "file:///etc/passwd",
            "/auth/v1/.well-known/jwks.json",
            "id.example",
            "https://",
            "https://user@id.example/keys",
            "http://localhost@evil.example/keys",
            "",
            "https://id example/keys",
        ] {
            assert!(check_key_url(url).is_err(), "{url}");
        }
    }
}
