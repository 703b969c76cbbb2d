//! `POST /v1/events`: stores send what happened; each event counts once, however often it is sent.
//!
//! Called with `Authorization: Bearer` an access token (members and up) or an API key (`events:write`). Runs
//! `api.ingest_events`, and answers after the commit.
//!
//! ```text
//! curl http://127.0.0.1:3000/v1/events -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \
//!   -d '{"id": "order-1001", "metric": "revenue", "value": "129.90", "currency": "USD", "recorded_at": "2026-11-22T07:00:00Z"}'
//! ```

use http::Method;
use spin_sdk::http::Request;
use spin_sdk::http_service;
use std::time::Duration;
use tally_core::authority::Authority;
use tally_core::door::http::{Incoming, Outgoing, serve};
use tally_core::door::postgres::{Database, Use};
use tally_core::door::{token_verifier, variable};
use tally_core::events::{Batch, Columns, MAX_BODY_BYTES};
use tally_core::problem::{Kind, Problem};
use tally_core::reply::Reply;

const DATABASE: Database =
    Database { connections: Use::Exclusive, open_deadline: Duration::from_secs(3), deadline: Duration::from_secs(25) };

#[http_service]
async fn handle(request: Request) -> Outgoing {
    serve("ingest", request, Reply::problem, route).await
}

async fn route(request: Incoming) -> Result<Reply, Problem> {
    match request.path() {
        "/v1/events" => ingest(request).await,
        _ => Err(Problem::new(Kind::NotFound, "Events are sent to /v1/events.")),
    }
}

async fn ingest(request: Incoming) -> Result<Reply, Problem> {
    request.require_method(&Method::POST)?;
    let authority = Authority::from_headers(request.headers(), &token_verifier().await?)?;
    request.require_json()?;
    let (_, body) = request.read(MAX_BODY_BYTES).await?;
    let mut batch = Batch::read(&body)?;
    drop(body);

    let statement = include_str!("../../core/src/statements/ingest_events.sql");
    let Columns { ids, metrics, store_ids, values, currencies, recorded_at, sources, dimensions } =
        batch.take_columns();
    let parameters = vec![
        authority.into_json().into(),
        ids.into(),
        metrics.into(),
        store_ids.into(),
        values.into(),
        currencies.into(),
        recorded_at.into(),
        sources.into(),
        dimensions.into(),
    ];
    let stored = DATABASE.call(&variable("database_url").await?, statement, parameters).await?;
    let stored = serde_json::from_str(&stored).map_err(|error| Problem::ours(Kind::Internal, error))?;
    Reply::json(&batch.receipt(stored))
}
