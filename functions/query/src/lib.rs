//! `/v1/query` asks for series of metrics, `/v1/metrics` is what can be asked for ([`metrics`]), and at `/v1/exchange-rates` are the
//! rates that money is converted with ([`exchange_rates`]).
//!
//! Called with `Authorization: Bearer` an access token or an API key (`metrics:read`). Runs `api.query_metrics`.
//!
//! ```text
//! curl http://127.0.0.1:3000/v1/query -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \
//!   -d '{"metrics": ["revenue"], "from": "2026-10-01", "to": "2026-11-01", "granularity": "day", "timezone": "America/New_York"}'
//! ```

mod exchange_rates;
mod metrics;

use http::Method;
use spin_sdk::http::Request;
use spin_sdk::http_service;
use tally_core::door::http::{Incoming, Outgoing, serve};
use tally_core::door::{authority, postgres};
use tally_core::problem::{Kind, Problem};
use tally_core::query::{Format, MAX_BODY_BYTES, Questions};
use tally_core::reply::Reply;
use tally_core::statements;

/// A query reads only, whichever way it comes; in a URL it is one that fits there.
const QUERY_METHODS: [Method; 2] = [Method::GET, Method::POST];

#[http_service]
async fn handle(request: Request) -> Outgoing {
    serve("query", request, Reply::problem, route).await
}

async fn route(request: &mut Incoming) -> Result<Reply, Problem> {
    match request.path() {
        path if path.starts_with(metrics::PATH) => metrics::route(request).await,
        "/v1/query" => query(request).await,
        "/v1/exchange-rates" => exchange_rates::route(request).await,
        _ => Err(Problem::new(Kind::NotFound, "There are /v1/metrics, /v1/query and /v1/exchange-rates.")),
    }
}

async fn query(request: &mut Incoming) -> Result<Reply, Problem> {
    let format = Format::of(request.headers());
    if !QUERY_METHODS.contains(request.method()) {
        return Err(Problem::method_not_allowed(&QUERY_METHODS));
    }
    let authority = authority(request.headers()).await?;
    let questions = if request.method() == Method::GET {
        Questions::of(request.query())?
    } else {
        request.require_json()?;
        Questions::read(&request.read(MAX_BODY_BYTES).await?)?
    };
    format.check(&questions)?;

    let parameters = vec![authority.into_json().into(), questions.asked()?.into()];
    let found = postgres::LONG.call(statements::QUERY_METRICS, parameters).await?;
    let answers = questions.answers(statements::read_answer(&found)?)?;
    Ok(format.reply(&answers)?.revalidated(request.headers()))
}
