//! `POST /v1/events`: stores send what happened; each event counts once, however often it is sent.
//!
//! They come as JSON, NDJSON or CloudEvents, compressed or not. With `?on_conflict=replace` events that
//! are there already take the values they are sent with now.
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
use tally_core::door::http::{Incoming, Outgoing, serve};
use tally_core::door::{authority, postgres, variable};
use tally_core::events::{Batch, Columns, Encoding, Format, MAX_BODY_BYTES, OnConflict};
use tally_core::problem::{Kind, Problem};
use tally_core::reply::Reply;
use tally_core::statements;

#[http_service]
async fn handle(request: Request) -> Outgoing {
    serve("ingest", request, Reply::problem, route).await
}

async fn route(request: &mut Incoming) -> Result<Reply, Problem> {
    match request.path() {
        "/v1/events" => ingest(request).await,
        _ => Err(Problem::new(Kind::NotFound, "Events are sent to /v1/events.")),
    }
}

async fn ingest(request: &mut Incoming) -> Result<Reply, Problem> {
    request.require_method(&Method::POST)?;
    let authority = authority(request.headers()).await?;
    let on_conflict = OnConflict::from_query(request.query())?;
    let (format, encoding) = (Format::of(request.headers())?, Encoding::of(request.headers())?);
    let body = encoding.decode(request.read(MAX_BODY_BYTES).await?)?;
    let mut batch = Batch::read(&format, body)?;

    // The statement takes no `store_external_ids` yet.
    let Columns { ids, metrics, store_ids, values, currencies, recorded_at, sources, dimensions, .. } =
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
        on_conflict.name().to_owned().into(),
    ];
    let stored = postgres::LONG.call(&variable("database_url").await?, statements::INGEST_EVENTS, parameters).await?;
    let stored = serde_json::from_str(&stored).map_err(|error| Problem::ours(Kind::Internal, error))?;
    Reply::json(&batch.receipt(stored))
}
