//! `POST /hooks/access-token`: Supabase Auth's custom access token hook.
//!
//! The provider replaces the claims by what it is answered, so each claim that came in goes out again exactly as it was
//! written, also those that this service does not know.

use super::person::Person;
use super::{read_object, told_user_id};
use crate::problem::{Kind, Problem};
use crate::reply::Reply;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The largest answer the provider takes, bytes: what is larger it drops without saying why.
pub const MAX_ANSWER_BYTES: usize = 200 * 1024;

/// The claims of a token, as they were written.
pub type Claims = BTreeMap<String, Box<RawValue>>;

/// What the provider asks.
#[derive(Debug, Deserialize)]
pub struct Event {
    /// What the provider calls the user.
    user_id: String,
    claims: Claims,
}

/// What the database knows of the user: both or, for a user without an organization, neither.
#[derive(Debug, Deserialize)]
pub struct OrganizationClaims {
    org_id: Option<Uuid>,
    user_role: Option<String>,
}

/// The answer to the provider.
#[derive(Debug, Serialize)]
pub struct Answer {
    claims: Claims,
}

/// The provider's form of an error. It reads it only from a 200; with any other status the message is lost.
#[derive(Debug, Serialize)]
pub struct ErrorAnswer {
    error: ErrorBody,
}

#[derive(Debug, Serialize)]
struct ErrorBody {
    http_code: u16,
    message: String,
}

impl Event {
    /// Reads a body whose signature was verified.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        read_object("access-token event", body)
    }

    /// The user the token is for, whom the provider's tokens by this `iss` call so.
    pub fn user_id(&self, issuer: &str) -> Result<Uuid, Problem> {
        told_user_id(issuer, &self.user_id)
    }

    /// Whether the user has not said who they are: such a one gets no organization.
    pub fn is_anonymous(&self) -> bool {
        self.claim("is_anonymous").unwrap_or_default()
    }

    /// What the claims say of the person.
    pub fn person(&self) -> Person {
        Person::new(self.claim::<String>("email").as_deref(), self.claims.get("user_metadata").map(|raw| &**raw))
    }

    /// The claims with the organization's. What came in under those names is not ours, so it goes.
    pub fn answer(mut self, organization: &OrganizationClaims) -> Result<Answer, Problem> {
        self.claims.remove("org_id");
        self.claims.remove("user_role");
        if let OrganizationClaims { org_id: Some(org_id), user_role: Some(user_role) } = organization {
            self.claims.insert("org_id".to_owned(), raw(org_id)?);
            self.claims.insert("user_role".to_owned(), raw(user_role)?);
        }
        Ok(Answer { claims: self.claims })
    }

    fn claim<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Option<T> {
        self.claims.get(name).and_then(|value| serde_json::from_str(value.get()).ok())
    }
}

impl Answer {
    /// The answer as it is sent.
    pub fn into_reply(self) -> Result<Reply, Problem> {
        let reply = Reply::json(&self)?;
        if reply.body.len() > MAX_ANSWER_BYTES {
            let detail =
                format!("The claims have more than {MAX_ANSWER_BYTES} bytes; keep less in the user's metadata.");
            return Err(Problem::new(Kind::BodyTooLarge, detail));
        }
        Ok(reply)
    }
}

impl ErrorAnswer {
    /// A problem in the provider's form.
    pub fn new(problem: &Problem) -> Self {
        Self { error: ErrorBody { http_code: problem.kind().status(), message: problem.detail().to_owned() } }
    }
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>, Problem> {
    serde_json::value::to_raw_value(value).map_err(|error| Problem::ours(Kind::Internal, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::user_id::user_id;
    use serde_json::{Value, json};

    const ORG: &str = "22222222-2222-4222-8222-222222222222";

    fn event(claims: &str) -> Event {
        Event::read(
            format!(r#"{{"user_id": "{ORG}", "claims": {claims}, "authentication_method": "password"}}"#).as_bytes(),
        )
        .unwrap()
    }

    fn answered(claims: &str, organization: Value) -> String {
        let organization = serde_json::from_value(organization).unwrap();
        serde_json::to_string(&event(claims).answer(&organization).unwrap()).unwrap()
    }

    #[test]
    fn every_claim_goes_out_as_it_came() {
        let claims =
            r#"{"aud":["a"],"big":123456789012345678901234567890,"exp":1715690221,"f":1.10,"x":{"b":1,"a":[null]}}"#;
        let answer = answered(claims, json!({"org_id": ORG, "user_role": "owner"}));
        assert_eq!(
            answer,
            format!(
                r#"{{"claims":{},"org_id":"{ORG}","user_role":"owner","x":{{"b":1,"a":[null]}}}}}}"#,
                claims.strip_suffix(r#","x":{"b":1,"a":[null]}}"#).unwrap()
            )
        );
    }

    #[test]
    fn a_user_without_an_organization_gets_none_whatever_came_in() {
        assert_eq!(answered(r#"{"org_id":"x","user_role":"owner","sub":"s"}"#, json!({})), r#"{"claims":{"sub":"s"}}"#);
    }

    #[test]
    fn an_answer_the_provider_would_drop_is_refused() {
        let answered = |bytes: usize| {
            let start = r#"{"claims":{"x":""}}"#.len();
            let claims = format!(r#"{{"x":"{}"}}"#, "x".repeat(bytes - start));
            let answer = event(&claims).answer(&OrganizationClaims { org_id: None, user_role: None }).unwrap();
            answer.into_reply().map(|reply| reply.body.len()).map_err(|problem| problem.kind())
        };
        assert_eq!(answered(MAX_ANSWER_BYTES), Ok(MAX_ANSWER_BYTES));
        assert_eq!(answered(MAX_ANSWER_BYTES + 1), Err(Kind::BodyTooLarge));
    }

    #[test]
    fn the_claims_say_who_it_is() {
        assert!(event(r#"{"is_anonymous": true}"#).is_anonymous());
        let named = event(r#"{"is_anonymous": false, "email": "w@x.org", "user_metadata": {"company": "Acme"}}"#);
        assert!(!named.is_anonymous());
        let person = Person { email: Some("w@x.org".into()), profile: r#"{"company":"Acme"}"#.into() };
        assert_eq!(named.person(), person);
        assert!(!event("{}").is_anonymous());
        assert_eq!(event(r#"{"email": 7}"#).person(), Person { email: None, profile: "{}".into() });
    }

    #[test]
    fn the_user_is_who_the_webhooks_and_tokens_say() {
        let issuer = "https://clerk.acme.example";
        let id = |user_id: &str| {
            let body = format!(r#"{{"user_id": "{user_id}", "claims": {{}}}}"#);
            Event::read(body.as_bytes()).unwrap().user_id(issuer).map_err(|problem| problem.kind())
        };
        assert_eq!(id(ORG).unwrap().to_string(), ORG);
        let clerk = "user_29w83sxmDNGwOuEthce5gg56FcC";
        assert_eq!(id(clerk).ok(), user_id(issuer, clerk));
        assert_eq!(id(clerk).unwrap().to_string(), "62db6c5a-6f56-5d9a-ae2d-6fb708b7f2da");
        assert_eq!(id(""), Err(Kind::MalformedBody));
        assert_eq!(id(&"x".repeat(256)), Err(Kind::MalformedBody));
    }

    #[test]
    fn what_is_no_event_is_refused_and_not_repeated() {
        for body in [
            "",
            "null",
            "{}",
            r#"["22222222-2222-4222-8222-222222222222", {}]"#,
            r#"{"user_id": 1, "claims": {}}"#,
            r#"{"user_id": {"$2a$10$hash": 1}, "claims": {}}"#,
            r#"{"user_id": "22222222-2222-4222-8222-222222222222", "claims": "$2a$10$hash"}"#,
            r#"{"user_id": "22222222-2222-4222-8222-222222222222"}"#,
        ] {
            let problem = Event::read(body.as_bytes()).unwrap_err();
            assert_eq!(problem.kind(), Kind::MalformedBody, "{body}");
            assert!(!problem.detail().contains("hash"), "{}", problem.detail());
        }
        let problem = Event::read(br#"{"user_id": "1"}"#).unwrap_err();
        assert!(problem.detail().contains("missing field `claims`"), "{}", problem.detail());
    }
}
