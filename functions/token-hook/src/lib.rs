//! `POST /hooks/access-token`: the identity provider is about to make an access token; `org_id` and `user_role` go into it.
//!
//! Called by Supabase Auth, or by whoever adds to tokens elsewhere, with a signature of Standard Webhooks. Runs
//! `api.access_token_claims`. Answers `{"claims": {…}}`, or 200 with `{"error": {"http_code", "message"}}`: the provider
//! reads a message from a 200 only.
//!
//! Also what users call: `/v1/me`, where they choose the organization ([`me`]), and `/v1/api-keys`, where they make its
//! keys ([`api_keys`]).

mod api_keys;
mod me;

use http::Method;
use spin_sdk::http::Request;
use spin_sdk::http_service;
use tally_core::door::http::{Incoming, Outgoing, serve, serve_hook};
use tally_core::door::{postgres, variable};
use tally_core::identity::MAX_TOKEN_HOOK_BYTES;
use tally_core::identity::access_token_hook::{ErrorAnswer, Event, OrganizationClaims};
use tally_core::problem::Problem;
use tally_core::reply::Reply;
use tally_core::statements;

/// Told apart from what a user calls, since only the provider reads errors in a form of its own.
const HOOK: &str = "/hooks/access-token";

#[http_service]
async fn handle(request: Request) -> Outgoing {
    let path = request.uri().path().trim_end_matches('/');
    if path == HOOK {
        serve_hook("token-hook", request, error_answer, access_token).await
    } else if path.starts_with(api_keys::PATH) {
        serve("token-hook", request, Reply::problem, api_keys::route).await
    } else {
        serve("token-hook", request, Reply::problem, me::route).await
    }
}

async fn access_token(request: &mut Incoming) -> Result<Reply, Problem> {
    request.require_method(&Method::POST)?;
    let event = Event::read(&request.read_signed(MAX_TOKEN_HOOK_BYTES).await?)?;
    let person = event.person();
    let may_provision = !event.is_anonymous();
    let user_id = event.user_id(&variable("jwt_issuer").await?)?;
    let parameters = vec![user_id.to_string().into(), person.email.into(), person.profile.into(), may_provision.into()];
    let found = postgres::HOOK.call(statements::ACCESS_TOKEN_CLAIMS, parameters).await?;
    let organization: OrganizationClaims = statements::read_answer(&found)?;
    event.answer(&organization)?.into_reply()
}

fn error_answer(problem: &Problem, request_id: &str) -> Reply {
    Reply::json(&ErrorAnswer::new(problem)).unwrap_or_else(|problem| Reply::problem(&problem, request_id))
}
