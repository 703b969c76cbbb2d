//! `POST /hooks/user-created`: the identity provider tells of a new user, who gets an organization, a workspace and its
//! ownership; once, however often it is told.
//!
//! Called by the identity provider: Supabase, Clerk, WorkOS, Auth0, Kinde, or any sender of Standard Webhooks. Runs
//! `api.provision_user`. Answers `{}`.

use http::Method;
use spin_sdk::http::Request;
use spin_sdk::http_service;
use tally_core::door::http::{Incoming, Outgoing, serve_hook};
use tally_core::door::{postgres, variable};
use tally_core::identity::MAX_USER_CREATED_BYTES;
use tally_core::identity::person::Person;
use tally_core::identity::user_created::{self, Decision};
use tally_core::problem::{Kind, Problem};
use tally_core::reply::Reply;
use tally_core::statements;
use uuid::Uuid;

#[http_service]
async fn handle(request: Request) -> Outgoing {
    serve_hook("provision", request, Reply::problem, user_created).await
}

async fn user_created(request: &mut Incoming) -> Result<Reply, Problem> {
    request.require_method(&Method::POST)?;
    let (sender, body) = match request.read_webhook(MAX_USER_CREATED_BYTES).await {
        // No reason to fail a sign-up: the access-token hook makes what is missing. Whoever it was, nothing is done for them.
        Err(problem)
            if problem.kind() == Kind::BodyTooLarge && user_created::begins_as_hook(request.beginning().await) =>
        {
            request.log_failure(&problem);
            return Reply::json(&serde_json::Map::new());
        }
        read => read?,
    };
    let issuer = variable("jwt_issuer").await?;
    if let Decision::Provision { user_id, person, blocks_sign_up } = user_created::decide(sender, &issuer, &body)? {
        match provision(user_id, person).await {
            // The user is stored, and an error would make their sign-up fail all the same. With their first token the
            // access-token hook makes what is missing.
            Err(problem) if blocks_sign_up && problem.kind().status() >= 500 => request.log_failure(&problem),
            made => made?,
        }
    }
    Reply::json(&serde_json::Map::new())
}

async fn provision(user_id: Uuid, person: Person) -> Result<(), Problem> {
    let parameters = vec![user_id.to_string().into(), person.email.into(), person.profile.into()];
    postgres::SIGN_UP.call(statements::PROVISION_USER, parameters).await?;
    Ok(())
}
