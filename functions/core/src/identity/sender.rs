//! Who sent a webhook: told by how it is authenticated, which then decides what it may say.
//!
//! A secret that is sent along is weaker than a signature, and one provider's is none of another's business: what each opens
//! is its own provider's envelope and no other.

use super::text_secret::TextSecrets;
use super::{webhook, workos};
use crate::problem::{Kind, Problem};
use http::{HeaderMap, header};

/// A header for those who cannot set `Authorization`.
const SECRET_HEADER: &str = "x-webhook-secret";
/// Secrets that are sent along are of the operator's making.
pub const MIN_SECRET_BYTES: usize = 24;

/// How a webhook wants to be authenticated.
#[derive(Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Standard Webhooks, also under the names of Svix.
    StandardWebhooks,
    /// WorkOS' own signature.
    WorkOs,
    /// A secret that is sent along.
    Secret(String),
}

/// Whom a webhook was authenticated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Whoever has a secret of Standard Webhooks: Supabase Auth, Clerk, the application's own.
    StandardWebhooks,
    /// WorkOS.
    WorkOs,
    /// A Database Webhook of Supabase.
    SupabaseDatabase,
    /// An event stream of Auth0.
    Auth0,
    /// Kinde, whose webhooks are a JWT.
    Kinde,
}

/// The secrets that are sent along: each is one sender's.
pub struct SentSecrets {
    /// Supabase's Database Webhooks.
    pub database: TextSecrets,
    /// Auth0's event streams.
    pub auth0: TextSecrets,
}

impl Scheme {
    /// The scheme of a request. A signature goes before a secret that came with it.
    pub fn of(headers: &HeaderMap) -> Self {
        if webhook::is_signed(headers) {
            return Self::StandardWebhooks;
        }
        if headers.contains_key(workos::HEADER) {
            return Self::WorkOs;
        }
        match secret(headers) {
            Some(secret) => Self::Secret(secret.to_owned()),
            // Whose complaint says what is missing.
            None => Self::StandardWebhooks,
        }
    }
}

impl SentSecrets {
    /// Whose secret this is.
    pub fn sender(&self, given: &str) -> Result<Sender, Problem> {
        if self.database.is_empty() && self.auth0.is_empty() {
            let detail = "Webhooks with a secret in a header are not taken here: the variables \
                          `database_webhook_secrets` and `auth0_webhook_secrets` are empty.";
            return Err(Problem::new(Kind::InvalidSignature, detail));
        }
        // Both are always compared, so that the time tells nothing.
        match (self.database.contains(given), self.auth0.contains(given)) {
            (true, _) => Ok(Sender::SupabaseDatabase),
            (false, true) => Ok(Sender::Auth0),
            (false, false) => Err(Problem::new(
                Kind::InvalidSignature,
                "The webhook's secret does not fit: check that the sender and this service have the same.",
            )),
        }
    }
}

fn secret(headers: &HeaderMap) -> Option<&str> {
    if let Some(secret) = headers.get(SECRET_HEADER) {
        return secret.to_str().ok();
    }
    let (scheme, secret) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheme(given: &[(&'static str, &'static str)]) -> Scheme {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.insert(*name, value.parse().unwrap());
        }
        Scheme::of(&headers)
    }

    #[test]
    fn the_headers_tell_the_scheme() {
        let secret = || Scheme::Secret("abc".to_owned());
        assert_eq!(scheme(&[("webhook-signature", "v1,x")]), Scheme::StandardWebhooks);
        assert_eq!(scheme(&[("svix-signature", "v1,x")]), Scheme::StandardWebhooks);
        assert_eq!(scheme(&[("workos-signature", "t=1")]), Scheme::WorkOs);
        assert_eq!(scheme(&[("authorization", "bearer abc")]), secret());
        assert_eq!(scheme(&[("x-webhook-secret", "abc")]), secret());
        assert_eq!(scheme(&[("authorization", "Basic abc")]), Scheme::StandardWebhooks);
        assert_eq!(scheme(&[]), Scheme::StandardWebhooks);
    }

    #[test]
    fn a_secret_does_not_help_a_signature() {
        for signature in ["webhook-signature", "svix-signature"] {
            assert_eq!(scheme(&[(signature, "x"), ("authorization", "Bearer abc")]), Scheme::StandardWebhooks);
        }
        assert_eq!(scheme(&[("workos-signature", ""), ("x-webhook-secret", "abc")]), Scheme::WorkOs);
    }

    #[test]
    fn each_secret_is_one_senders() {
        let secrets = |database, auth0| SentSecrets {
            database: TextSecrets::parse(database, 1).unwrap(),
            auth0: TextSecrets::parse(auth0, 1).unwrap(),
        };
        let both = secrets("database", "auth0");
        assert_eq!(both.sender("database").unwrap(), Sender::SupabaseDatabase);
        assert_eq!(both.sender("auth0").unwrap(), Sender::Auth0);
        for (secrets, given) in [(both, "other"), (secrets("", "auth0"), ""), (secrets("", ""), "")] {
            assert_eq!(secrets.sender(given).unwrap_err().kind(), Kind::InvalidSignature);
        }
    }
}
