//! Stands in for the identity provider: signs webhooks and mints access tokens as Supabase Auth does.
//!
//! The signatures are those of the reference library of Standard Webhooks, not of our own code.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use jsonwebtoken::{EncodingKey, Header};
use reqwest::{Client, RequestBuilder};
use serde_json::{Map, Value, json};
use standardwebhooks::Webhook;
use uuid::Uuid;

/// How long a local access token lives.
const TOKEN_SECONDS: u64 = 30 * 24 * 3600;

/// An identity provider: what it signs with, and in whose name.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The webhooks' secret, `v1,whsec_<base64>`.
    pub webhook_secret: String,
    /// The access tokens' HS256 secret.
    pub jwt_secret: String,
    /// The `iss` of access tokens.
    pub issuer: String,
    /// The `aud` of access tokens.
    pub audience: String,
}

/// A user of the identity provider.
#[derive(Debug, Clone)]
pub struct User {
    /// The user's id.
    pub id: Uuid,
    /// The address they signed up with.
    pub email: String,
    /// The company they named at sign-up.
    pub company: String,
}

impl Identity {
    /// The headers of a webhook with this body, sent now.
    pub fn sign_webhook(&self, body: &str) -> Result<[(&'static str, String); 3]> {
        self.sign_webhook_at(body, &Uuid::new_v4().to_string(), now())
    }

    /// The headers of a webhook with this body, id and time (seconds since 1970).
    pub fn sign_webhook_at(&self, body: &str, id: &str, time: u64) -> Result<[(&'static str, String); 3]> {
        let secret = self.webhook_secret.strip_prefix("v1,").context("a webhook secret begins with v1,")?;
        let signature = Webhook::new(secret)?.sign(id, time.try_into()?, body.as_bytes())?;
        Ok([
            (standardwebhooks::HEADER_WEBHOOK_ID, id.to_owned()),
            (standardwebhooks::HEADER_WEBHOOK_TIMESTAMP, time.to_string()),
            (standardwebhooks::HEADER_WEBHOOK_SIGNATURE, signature),
        ])
    }

    /// A signed webhook, ready to send.
    pub fn webhook(&self, client: &Client, url: String, body: &Value) -> Result<RequestBuilder> {
        self.webhook_text(client, url, body.to_string())
    }

    /// The same of a body as it is written.
    pub fn webhook_text(&self, client: &Client, url: String, body: String) -> Result<RequestBuilder> {
        let request = client.post(url).header("content-type", "application/json");
        Ok(with_headers(request, self.sign_webhook(&body)?).body(body))
    }

    /// Signs an access token.
    pub fn mint(&self, claims: &Value) -> Result<String> {
        let key = EncodingKey::from_secret(self.jwt_secret.as_bytes());
        Ok(jsonwebtoken::encode(&Header::default(), claims, &key)?)
    }

    /// The claims the provider begins with, before the hook adds to them.
    pub fn claims(&self, user: &User) -> Value {
        let now = now();
        json!({
            "iss": self.issuer,
            "sub": user.id,
            "aud": self.audience,
            "exp": now + TOKEN_SECONDS,
            "iat": now,
            "email": user.email,
            "phone": "",
            "app_metadata": {"provider": "email", "providers": ["email"]},
            "user_metadata": {"company": user.company},
            "role": "authenticated",
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": now}],
            "session_id": Uuid::new_v4(),
            "is_anonymous": false,
        })
    }

    /// Tells the functions of a sign-up.
    pub async fn sign_up(&self, client: &Client, base_url: &str, user: &User) -> Result<()> {
        let body = json!({"metadata": metadata("after-user-created"), "user": user.record()});
        send(self.webhook(client, format!("{base_url}/hooks/user-created"), &body)?).await?;
        Ok(())
    }

    /// Signs the user in: asks the functions for the token's claims, as the provider does each time it makes a token.
    /// Answers the claims.
    pub async fn sign_in(&self, client: &Client, base_url: &str, user: &User) -> Result<Map<String, Value>> {
        let body = json!({
            "metadata": metadata("customize-access-token"),
            "user_id": user.id,
            "claims": self.claims(user),
            "authentication_method": "password",
        });
        let text = send(self.webhook(client, format!("{base_url}/hooks/access-token"), &body)?).await?;
        let mut answer: Value = serde_json::from_str(&text)?;
        match answer["claims"].take() {
            Value::Object(claims) => Ok(claims),
            _ => bail!("the access token hook answered no claims: {text}"),
        }
    }
}

impl User {
    /// The user as the provider's hooks show it.
    pub fn record(&self) -> Value {
        let now = jiff::Timestamp::now().to_string();
        json!({
            "id": self.id,
            "aud": "authenticated",
            "role": "authenticated",
            "email": self.email,
            "phone": "",
            "app_metadata": {"provider": "email", "providers": ["email"]},
            "user_metadata": {"company": self.company},
            "identities": [],
            "created_at": now,
            "updated_at": now,
            "is_anonymous": false,
        })
    }
}

/// What stands above each hook's payload.
pub fn metadata(hook: &str) -> Value {
    json!({"uuid": Uuid::new_v4(), "time": jiff::Timestamp::now().to_string(), "name": hook, "ip_address": "127.0.0.1"})
}

/// A request with these headers besides.
pub fn with_headers<N: AsRef<str>>(
    request: RequestBuilder,
    headers: impl IntoIterator<Item = (N, String)>,
) -> RequestBuilder {
    headers.into_iter().fold(request, |request, (name, value)| request.header(name.as_ref(), value))
}

/// Sends a request that must succeed; answers the body.
pub async fn send(request: RequestBuilder) -> Result<String> {
    let response = request.send().await?;
    let (status, url) = (response.status(), response.url().path().to_owned());
    let body = response.text().await?;
    if !status.is_success() {
        bail!("{url} answered {status}: {body}");
    }
    Ok(body)
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};

    use super::*;

    fn identity() -> Identity {
        Identity {
            webhook_secret: "v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
            jwt_secret: "0123456789abcdef0123456789abcdef".to_owned(),
            issuer: "http://127.0.0.1:54321/auth/v1".to_owned(),
            audience: "authenticated".to_owned(),
        }
    }

    #[test]
    fn signs_as_the_standard_says() {
        // The example of the specification's own test suite.
        let headers = identity()
            .sign_webhook_at(r#"{"test": 2432232314}"#, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330)
            .unwrap();
        assert_eq!(headers[2].1, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn mints_tokens_that_verify() {
        let identity = identity();
        let user = User { id: Uuid::new_v4(), email: "a@b.example".to_owned(), company: "Acme".to_owned() };
        let token = identity.mint(&identity.claims(&user)).unwrap();
        let mut validation = Validation::default();
        validation.set_audience(&[&identity.audience]);
        validation.set_issuer(&[&identity.issuer]);
        let key = DecodingKey::from_secret(identity.jwt_secret.as_bytes());
        let claims = jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap().claims;
        assert_eq!(claims["sub"], user.id.to_string());
        assert_eq!(claims["email"], "a@b.example");
    }
}
