//! `POST /v1/events/delete` takes events back that should not have been sent; `GET /v1/events/changes` lists what was deleted or
//! replaced, by whom, and what was there before.

use crate::events::DRY_RUN;
use http::Method;
use tally_core::changes::Changes;
use tally_core::door::http::Incoming;
use tally_core::door::{authority, postgres};
use tally_core::events::{Deletion, MAX_DELETION_BYTES};
use tally_core::page::Page;
use tally_core::parameters::Parameters;
use tally_core::problem::Problem;
use tally_core::rate_limits::RateLimits;
use tally_core::reply::Reply;
use tally_core::statements;

pub(crate) async fn delete(request: &mut Incoming) -> Result<Reply, Problem> {
    request.require_method(&Method::POST)?;
    let authority = authority(request.headers()).await?;
    let dry_run = Parameters::read(request.query(), &[DRY_RUN])?.flag(DRY_RUN)?;
    request.require_json()?;
    let mut deletion = Deletion::read(&request.read(MAX_DELETION_BYTES).await?)?;
    let parameters = vec![
        authority.into_json().into(),
        std::mem::take(&mut deletion.store_ids).into(),
        std::mem::take(&mut deletion.sources).into(),
        std::mem::take(&mut deletion.ids).into(),
        std::mem::take(&mut deletion.recorded_at).into(),
        deletion.rejected().into(),
        dry_run.into(),
    ];
    let answer = postgres::LONG.call(statements::DELETE_EVENTS, parameters).await?;
    let limits = RateLimits::of_answer(&answer)?;
    let receipt = deletion.receipt(statements::read_answer(&answer)?);
    Ok(Reply::json(&receipt)?.with_headers(limits.headers()))
}

pub(crate) async fn list(request: &mut Incoming) -> Result<Reply, Problem> {
    request.require_method(&Method::GET)?;
    let authority = authority(request.headers()).await?;
    let parameters = Parameters::read(request.query(), &Changes::PARAMETERS)?;
    let (page, changes) = (Page::of(&parameters)?, Changes::of(&parameters)?);
    let parameters = vec![
        authority.into_json().into(),
        changes.action.into(),
        changes.store_id.into(),
        changes.source.into(),
        changes.event_id.into(),
        changes.from.into(),
        changes.to.into(),
        page.after_time().into(),
        page.after_id().into(),
        page.limit.into(),
    ];
    Ok(Reply::json_text(postgres::LONG.call(statements::LIST_EVENT_CHANGES, parameters).await?))
}
