//! `POST`, `GET /v1/api-keys` and `DELETE /v1/api-keys/{id}`: an organization's keys are made, listed and revoked.
//!
//! Called with `Authorization: Bearer` an access token of an owner or admin; an API key is refused. Runs
//! `api.create_api_key`, `api.list_api_keys` and `api.revoke_api_key`.
//!
//! The key is made here and only its hash goes to the database, which never sees it. Its id is made here too, before the
//! statement: sent twice, it is the same key.
//!
//! The statements may wait for one another, and so do not go over the connection that the hooks share.
//!
//! ```text
//! curl http://127.0.0.1:3000/v1/api-keys -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \
//!   -d '{"name": "Shopify sync", "scopes": ["events:write"]}'
//! curl http://127.0.0.1:3000/v1/api-keys -H "Authorization: Bearer $TOKEN"
//! curl -X DELETE http://127.0.0.1:3000/v1/api-keys/$ID -H "Authorization: Bearer $TOKEN"
//! ```

use http::Method;
use jiff::Timestamp;
use tally_core::api_key::NewApiKey;
use tally_core::api_keys::{MAX_BODY_BYTES, Made, Wanted, id};
use tally_core::door::http::Incoming;
use tally_core::door::{member, postgres};
use tally_core::page::Page;
use tally_core::parameters::Parameters;
use tally_core::problem::{Kind, Problem};
use tally_core::reply::Reply;
use tally_core::statements;
use uuid::Uuid;

/// Where the routes of this file begin.
pub(crate) const PATH: &str = "/v1/api-keys";

/// Answers what is at [`PATH`] or below it.
pub(crate) async fn route(request: &mut Incoming) -> Result<Reply, Problem> {
    match request.path().strip_prefix(PATH) {
        Some("") => match *request.method() {
            Method::POST => create(request).await,
            Method::GET => list(request).await,
            _ => Err(Problem::method_not_allowed(&[Method::GET, Method::POST])),
        },
        Some(rest) if rest.rfind('/') == Some(0) => revoke(request).await,
        _ => Err(Problem::new(Kind::NotFound, "There are /v1/api-keys and /v1/api-keys/{id}.")),
    }
}

async fn create(request: &mut Incoming) -> Result<Reply, Problem> {
    let authority = member(request.headers()).await?;
    request.require_json()?;
    let wanted = Wanted::read(&request.read(MAX_BODY_BYTES).await?, Timestamp::now())?;
    let key = NewApiKey::generate()?;
    let parameters = vec![
        authority.into_json().into(),
        Uuid::new_v4().to_string().into(),
        key.hash().into(),
        key.prefix().to_owned().into(),
        wanted.name.into(),
        wanted.scopes.into_iter().map(Some).collect::<Vec<_>>().into(),
        wanted.store_id.map(|id| id.to_string()).into(),
        wanted.expires_at.into(),
    ];
    let stored = postgres::LONG.call(statements::CREATE_API_KEY, parameters).await?;
    Reply::created(&Made::new(&key, &stored)?)
}

async fn list(request: &mut Incoming) -> Result<Reply, Problem> {
    let authority = member(request.headers()).await?;
    let page = Page::of(&Parameters::read(request.query(), &Page::PARAMETERS)?)?;
    let parameters =
        vec![authority.into_json().into(), page.limit.into(), page.after_time().into(), page.after_id().into()];
    Ok(Reply::json_text(postgres::LONG.call(statements::LIST_API_KEYS, parameters).await?))
}

async fn revoke(request: &mut Incoming) -> Result<Reply, Problem> {
    request.require_method(&Method::DELETE)?;
    let authority = member(request.headers()).await?;
    let id = id(request.path().rsplit('/').next().unwrap_or_default())?;
    postgres::LONG.call(statements::REVOKE_API_KEY, vec![authority.into_json().into(), id.to_string().into()]).await?;
    Ok(Reply::no_content())
}
