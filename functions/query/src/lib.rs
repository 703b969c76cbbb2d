//! `POST /v1/query` asks for series of metrics, `GET /v1/metrics` for what can be asked for.
//!
//! Called with `Authorization: Bearer` an access token or an API key (`metrics:read`). Runs `api.query_metrics` and
//! `api.list_metrics`.
//!
//! ```text
//! curl http://127.0.0.1:3000/v1/query -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \
//!   -d '{"metrics": ["revenue"], "from": "2026-10-01", "to": "2026-11-01", "granularity": "day", "timezone": "America/New_York"}'
//! ```

use http::Method;
use spin_sdk::http::Request;
use spin_sdk::http_service;
use tally_core::door::http::{Incoming, Outgoing, serve};
use tally_core::door::{authority, postgres};
use tally_core::problem::{Kind, Problem};
use tally_core::query::{MAX_BODY_BYTES, Query};
use tally_core::reply::Reply;
use tally_core::statements;

#[http_service]
async fn handle(request: Request) -> Outgoing {
    serve("query", request, Reply::problem, route).await
}

async fn route(request: &mut Incoming) -> Result<Reply, Problem> {
    match request.path() {
        "/v1/metrics" => list(request).await,
        "/v1/query" => query(request).await,
        _ => Err(Problem::new(Kind::NotFound, "There are /v1/metrics and /v1/query.")),
    }
}

async fn list(request: &mut Incoming) -> Result<Reply, Problem> {
    request.require_method(&Method::GET)?;
    let authority = authority(request.headers()).await?;
    let found = postgres::LONG.call(statements::LIST_METRICS, vec![authority.into_json().into()]).await?;
    Ok(Reply::json_text(found))
}

async fn query(request: &mut Incoming) -> Result<Reply, Problem> {
    request.require_method(&Method::POST)?;
    let authority = authority(request.headers()).await?;
    request.require_json()?;
    let body = request.read(MAX_BODY_BYTES).await?;
    let query = Query::read(&body)?;

    let parameters = vec![
        authority.into_json().into(),
        query.metric_keys().into(),
        query.store_ids().into(),
        query.from.clone().into(),
        query.to.clone().into(),
        query.granularity.name().to_owned().into(),
        query.timezone.clone().into(),
        query.totals.into(),
    ];
    let found = postgres::LONG.call(statements::QUERY_METRICS, parameters).await?;
    Reply::json(&query.answer(statements::read_answer(&found)?))
}
