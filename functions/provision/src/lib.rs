//! `POST /hooks/user-created`: the identity provider tells of a new user, who gets an organization, a workspace and its
//! ownership; once, however often it is told.
//!
//! Called by the identity provider, with a signature of Standard Webhooks. Runs `api.provision_user`. Answers `{}`.

use http::Method;
use spin_sdk::http::Request;
use spin_sdk::http_service;
use tally_core::door::http::{Incoming, Outgoing, serve};
use tally_core::door::{postgres, variable};
use tally_core::identity::MAX_BODY_BYTES;
use tally_core::identity::user_created::{self, Decision};
use tally_core::problem::Problem;
use tally_core::reply::Reply;
use tally_core::statements;

#[http_service]
async fn handle(request: Request) -> Outgoing {
    serve("provision", request, Reply::problem, user_created).await
}

async fn user_created(request: &mut Incoming) -> Result<Reply, Problem> {
    request.require_method(&Method::POST)?;
    let body = request.read_signed(MAX_BODY_BYTES).await?;
    if let Decision::Provision { user_id, person } = user_created::decide(&body)? {
        let parameters = vec![user_id.to_string().into(), person.email.into(), person.profile.into()];
        postgres::SIGN_UP.call(&variable("database_url").await?, statements::PROVISION_USER, parameters).await?;
    }
    Reply::json(&serde_json::Map::new())
}
