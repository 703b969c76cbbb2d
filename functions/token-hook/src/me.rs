//! `GET /v1/me`: where the user belongs. `PUT /v1/me/active-organization`: which organization the next token carries.
//!
//! Called with `Authorization: Bearer` the user's own access token, which need not name an organization; an API key is
//! refused. Runs `api.get_me` and `api.set_active_organization`.
//!
//! ```text
//! curl http://127.0.0.1:3000/v1/me -H "Authorization: Bearer $TOKEN"
//! curl -X PUT http://127.0.0.1:3000/v1/me/active-organization -H "Authorization: Bearer $TOKEN" \
//!   -H "Content-Type: application/json" -d '{"org_id": "…"}'
//! ```

use http::Method;
use tally_core::door::http::Incoming;
use tally_core::door::{postgres, user};
use tally_core::me::{Choice, MAX_BODY_BYTES};
use tally_core::problem::{Kind, Problem};
use tally_core::reply::Reply;
use tally_core::statements;

/// Answers what is not a hook.
pub(crate) async fn route(request: &mut Incoming) -> Result<Reply, Problem> {
    match request.path() {
        "/v1/me" => get_me(request).await,
        "/v1/me/active-organization" => set_active_organization(request).await,
        _ => Err(Problem::new(Kind::NotFound, "There are /v1/me and /v1/me/active-organization.")),
    }
}

async fn get_me(request: &mut Incoming) -> Result<Reply, Problem> {
    request.require_method(&Method::GET)?;
    let user = user(request.headers()).await?;
    let found = postgres::HOOK.call(statements::GET_ME, vec![user.user_id().to_string().into()]).await?;
    Ok(Reply::json_text(found))
}

async fn set_active_organization(request: &mut Incoming) -> Result<Reply, Problem> {
    request.require_method(&Method::PUT)?;
    let user = user(request.headers()).await?;
    request.require_json()?;
    let choice = Choice::read(&request.read(MAX_BODY_BYTES).await?)?;
    let parameters = vec![user.user_id().to_string().into(), choice.org_id.map(|id| id.to_string()).into()];
    let found = postgres::HOOK.call(statements::SET_ACTIVE_ORGANIZATION, parameters).await?;
    Ok(Reply::json_text(found))
}
