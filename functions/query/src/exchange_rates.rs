//! `PUT`, `GET` and `DELETE /v1/exchange-rates`: an organization loads rates of its own, lists those that count for it, and
//! removes its own.
//!
//! Called with `Authorization: Bearer` an access token, to write of an owner or admin; to read an API key will do
//! (`metrics:read`). Runs `api.put_exchange_rates`, `api.list_exchange_rates` and `api.delete_exchange_rates`.
//!
//! ```text
//! curl -X PUT http://127.0.0.1:3000/v1/exchange-rates -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \
//!   -d '{"rates": [{"day": "2026-10-02", "through": "2026-10-04", "rates": {"USD": "1.1712"}}]}'
//! curl "http://127.0.0.1:3000/v1/exchange-rates?from=2026-10-01&to=2026-11-01" -H "Authorization: Bearer $TOKEN"
//! curl -X DELETE "http://127.0.0.1:3000/v1/exchange-rates?from=2026-10-01&to=2026-11-01" -H "Authorization: Bearer $TOKEN"
//! ```

use http::Method;
use tally_core::door::http::Incoming;
use tally_core::door::{authority, member, postgres};
use tally_core::exchange_rates::{MAX_UPLOAD_BYTES, RatePage, RateSelection, Upload};
use tally_core::parameters::Parameters;
use tally_core::problem::Problem;
use tally_core::reply::Reply;
use tally_core::statements;

/// Answers what is at `/v1/exchange-rates`.
pub(crate) async fn route(request: &mut Incoming) -> Result<Reply, Problem> {
    match *request.method() {
        Method::GET => list(request).await,
        Method::PUT => put(request).await,
        Method::DELETE => delete(request).await,
        _ => Err(Problem::method_not_allowed(&[Method::GET, Method::PUT, Method::DELETE])),
    }
}

async fn list(request: &mut Incoming) -> Result<Reply, Problem> {
    let authority = authority(request.headers()).await?;
    let parameters = Parameters::read(request.query(), &RatePage::PARAMETERS)?;
    let (selection, page) = (RateSelection::of(&parameters)?, RatePage::of(&parameters)?);
    let parameters = vec![
        authority.into_json().into(),
        selection.from.into(),
        selection.to.into(),
        selection.currencies.into(),
        page.after_day.into(),
        page.after_currency.into(),
        page.limit.into(),
    ];
    Ok(Reply::json_text(postgres::LONG.call(statements::LIST_EXCHANGE_RATES, parameters).await?))
}

async fn put(request: &mut Incoming) -> Result<Reply, Problem> {
    let authority = member(request.headers()).await?;
    Parameters::read(request.query(), &[])?;
    request.require_json()?;
    let Upload { days, currencies, rates } = Upload::read(&request.read(MAX_UPLOAD_BYTES).await?)?;
    let parameters = vec![authority.into_json().into(), days.into(), currencies.into(), rates.into()];
    Ok(Reply::json_text(postgres::LONG.call(statements::PUT_EXCHANGE_RATES, parameters).await?))
}

async fn delete(request: &mut Incoming) -> Result<Reply, Problem> {
    let authority = member(request.headers()).await?;
    let selection = RateSelection::of_removal(&Parameters::read(request.query(), &RateSelection::PARAMETERS)?)?;
    let parameters =
        vec![authority.into_json().into(), selection.from.into(), selection.to.into(), selection.currencies.into()];
    Ok(Reply::json_text(postgres::LONG.call(statements::DELETE_EXCHANGE_RATES, parameters).await?))
}
