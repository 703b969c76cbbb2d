//! `POST /hooks/user-created`: the identity provider tells of a new user, who gets an organization, a workspace and its
//! ownership; once, however often it is told.
//!
//! Called by the identity provider, with a signature of Standard Webhooks. Runs `api.provision_user`. Answers `{}`.

use http::Method;
use spin_sdk::http::Request;
use spin_sdk::http_service;
use std::time::{Duration, SystemTime};
use tally_core::door::http::{Incoming, Outgoing, serve};
use tally_core::door::postgres::{Database, Use};
use tally_core::door::variable;
use tally_core::identity::user_created::{self, Decision};
use tally_core::identity::webhook::WebhookSecrets;
use tally_core::problem::{Kind, Problem};
use tally_core::reply::Reply;

const MAX_BODY_BYTES: usize = 256 * 1024;
/// The provider gives a hook five seconds in all.
const DATABASE: Database = Database {
    connections: Use::Shared,
    open_deadline: Duration::from_millis(1_000),
    deadline: Duration::from_millis(4_000),
};

#[http_service]
async fn handle(request: Request) -> Outgoing {
    serve("provision", request, Reply::problem, user_created).await
}

async fn user_created(request: Incoming) -> Result<Reply, Problem> {
    request.require_method(&Method::POST)?;
    let secrets = WebhookSecrets::parse(&variable("webhook_secrets").await?)
        .map_err(|error| Problem::ours(Kind::Misconfigured, error))?;
    let (headers, body) = request.read(MAX_BODY_BYTES).await?;
    secrets.verify(&headers, &body, SystemTime::now())?;

    if let Decision::Provision { user_id, organization_name } = user_created::decide(&body)? {
        let statement = include_str!("../../core/src/statements/provision_user.sql");
        let parameters = vec![user_id.to_string().into(), organization_name.into()];
        DATABASE.call(&variable("database_url").await?, statement, parameters).await?;
    }
    Reply::json(&serde_json::Map::new())
}
