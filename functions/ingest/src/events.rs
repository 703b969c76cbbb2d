//! `POST /v1/events`: a batch of events, in whatever form. Runs `api.ingest_events`, and answers after the commit.
//!
//! With `?on_conflict=replace` events that are there already take the values they are sent with now; with `?dry_run=true`
//! the answer is the same and nothing is stored.
//!
//! ```text
//! curl http://127.0.0.1:3000/v1/events -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \
//!   -d '{"id": "order-1001", "metric": "revenue", "value": "129.90", "currency": "USD", "recorded_at": "2026-11-22T07:00:00Z"}'
//! ```

use http::Method;
use tally_core::door::http::Incoming;
use tally_core::door::{authority, postgres};
use tally_core::events::{Batch, Columns, Encoding, Format, MAX_BODY_BYTES, OnConflict, SeriesColumns, Texts};
use tally_core::parameters::Parameters;
use tally_core::problem::Problem;
use tally_core::rate_limits::RateLimits;
use tally_core::reply::Reply;
use tally_core::statements;

/// The parameter of a URL that says whether something is done or only tried.
pub(crate) const DRY_RUN: &str = "dry_run";

pub(crate) async fn ingest(request: &mut Incoming) -> Result<Reply, Problem> {
    request.require_method(&Method::POST)?;
    let authority = authority(request.headers()).await?;
    let parameters = Parameters::read(request.query(), &[OnConflict::PARAMETER, DRY_RUN])?;
    let (on_conflict, dry_run) = (OnConflict::of(&parameters)?, parameters.flag(DRY_RUN)?);
    let (format, encoding) = (Format::of(request.headers())?, Encoding::of(request.headers())?);
    let body = encoding.decode(request.read(MAX_BODY_BYTES).await?)?;
    let mut batch = Batch::read(&format, body)?;

    let Columns { series, numbers, ids, values, recorded_at } = batch.take_columns();
    let SeriesColumns { store_ids, external_ids, sources, metrics, currencies, dimensions } = series;
    let Texts { bytes, lengths } = batch.texts();
    let parameters = vec![
        authority.into_json().into(),
        store_ids.into(),
        external_ids.into(),
        sources.into(),
        metrics.into(),
        currencies.into(),
        dimensions.into(),
        numbers.into(),
        String::from(ids).into(),
        String::from(values).into(),
        recorded_at.into(),
        bytes.into(),
        String::from(lengths).into(),
        batch.rejected()?.into(),
        on_conflict.name().to_owned().into(),
        dry_run.into(),
    ];
    let answer = postgres::LONG.call(statements::INGEST_EVENTS, parameters).await?;
    let limits = RateLimits::of_answer(&answer)?;
    let receipt = batch.receipt(statements::read_answer(&answer)?);
    Ok(Reply::json(&receipt)?.with_headers(limits.headers()))
}
