//! `/v1/events/quarantine`: rejected events are listed; `…/replay` judges them again, when a metric or a store is there that was
//! not, and `…/discard` forgets them.

use crate::events::DRY_RUN;
use http::Method;
use tally_core::door::http::Incoming;
use tally_core::door::{authority, postgres};
use tally_core::events::OnConflict;
use tally_core::page::Page;
use tally_core::parameters::Parameters;
use tally_core::problem::Problem;
use tally_core::quarantine::{Filter, MAX_BODY_BYTES, ReplayReceipt, Replayed, Selection};
use tally_core::rate_limits::RateLimits;
use tally_core::reply::Reply;
use tally_core::statements;

pub(crate) async fn list(request: &mut Incoming) -> Result<Reply, Problem> {
    request.require_method(&Method::GET)?;
    let authority = authority(request.headers()).await?;
    let parameters = Parameters::read(request.query(), &Filter::PARAMETERS)?;
    let (page, filter) = (Page::of(&parameters)?, Filter::of(&parameters)?);
    let parameters = vec![
        authority.into_json().into(),
        filter.into_json()?.into(),
        page.after_time().into(),
        page.after_id().into(),
        page.limit.into(),
    ];
    Ok(Reply::json_text(postgres::LONG.call(statements::LIST_QUARANTINE, parameters).await?))
}

pub(crate) async fn replay(request: &mut Incoming) -> Result<Reply, Problem> {
    request.require_method(&Method::POST)?;
    let authority = authority(request.headers()).await?;
    let parameters = Parameters::read(request.query(), &[OnConflict::PARAMETER, DRY_RUN])?;
    let (on_conflict, dry_run) = (OnConflict::of(&parameters)?, parameters.flag(DRY_RUN)?);
    let selection = selection(request).await?;
    let parameters =
        vec![authority.into_json().into(), selection.into(), on_conflict.name().to_owned().into(), dry_run.into()];
    let answer = postgres::LONG.call(statements::REPLAY_QUARANTINE, parameters).await?;
    let limits = RateLimits::of_answer(&answer)?;
    let replayed: Replayed = statements::read_answer(&answer)?;
    Ok(Reply::json(&ReplayReceipt::from(replayed))?.with_headers(limits.headers()))
}

pub(crate) async fn discard(request: &mut Incoming) -> Result<Reply, Problem> {
    request.require_method(&Method::POST)?;
    let authority = authority(request.headers()).await?;
    Parameters::read(request.query(), &[])?;
    let parameters = vec![authority.into_json().into(), selection(request).await?.into()];
    Ok(Reply::json_text(postgres::LONG.call(statements::DISCARD_QUARANTINE, parameters).await?))
}

async fn selection(request: &mut Incoming) -> Result<String, Problem> {
    request.require_json()?;
    Selection::read(&request.read(MAX_BODY_BYTES).await?)?.into_json()
}
