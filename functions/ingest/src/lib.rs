//! `/v1/events`: stores send what happened; each event counts once, however often it is sent. What was rejected is kept in a
//! quarantine, what was wrong is corrected, and every correction is on record.
//!
//! | route | |
//! | --- | --- |
//! | `POST /v1/events` | [`events`] |
//! | `POST /v1/events/delete`, `GET /v1/events/changes` | [`corrections`] |
//! | `GET /v1/events/quarantine`, `POST …/replay`, `POST …/discard` | [`quarantine`] |
//!
//! Called with `Authorization: Bearer` an access token (members and up) or an API key (`events:write`).

mod corrections;
mod events;
mod quarantine;

use spin_sdk::http::Request;
use spin_sdk::http_service;
use tally_core::door::http::{Incoming, Outgoing, serve};
use tally_core::problem::{Kind, Problem};
use tally_core::reply::Reply;

#[http_service]
async fn handle(request: Request) -> Outgoing {
    serve("ingest", request, Reply::problem, route).await
}

async fn route(request: &mut Incoming) -> Result<Reply, Problem> {
    match request.path() {
        "/v1/events" => events::ingest(request).await,
        "/v1/events/delete" => corrections::delete(request).await,
        "/v1/events/changes" => corrections::list(request).await,
        "/v1/events/quarantine" => quarantine::list(request).await,
        "/v1/events/quarantine/replay" => quarantine::replay(request).await,
        "/v1/events/quarantine/discard" => quarantine::discard(request).await,
        _ => Err(Problem::new(
            Kind::NotFound,
            "There are /v1/events, and under it /delete, /changes, /quarantine, /quarantine/replay and /quarantine/discard.",
        )),
    }
}
