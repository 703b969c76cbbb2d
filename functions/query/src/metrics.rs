//! `GET /v1/metrics` and `/v1/metrics/{key}`: what can be asked for. `PUT` and `DELETE /v1/metrics/{key}`: an organization's own
//! definitions are made, replaced and removed.
//!
//! To read, called with `Authorization: Bearer` an access token or an API key (`metrics:read`); to write, with an access token of an
//! owner or admin. Runs `api.list_metrics`, `api.get_metric`, `api.put_metric` and `api.delete_metric`.
//!
//! ```text
//! curl http://127.0.0.1:3000/v1/metrics -H "Authorization: Bearer $TOKEN"
//! curl -X PUT http://127.0.0.1:3000/v1/metrics/kept_per_order -H "Authorization: Bearer $TOKEN" \
//!   -H "Content-Type: application/json" -d '{"display_name": "Kept per order", "unit": "currency",
//!     "aggregation_method": "formula", "formula": "(gross_revenue - discounts - refunds) / orders"}'
//! curl -X DELETE http://127.0.0.1:3000/v1/metrics/kept_per_order -H "Authorization: Bearer $TOKEN"
//! ```

use http::Method;
use tally_core::definitions::{Definition, MAX_BODY_BYTES, Put, key};
use tally_core::door::http::Incoming;
use tally_core::door::{authority, member, postgres};
use tally_core::problem::{Kind, Problem};
use tally_core::reply::Reply;
use tally_core::statements;

/// Where the routes of this file begin.
pub(crate) const PATH: &str = "/v1/metrics";

/// Answers what is at [`PATH`] or below it.
pub(crate) async fn route(request: &mut Incoming) -> Result<Reply, Problem> {
    match request.path().strip_prefix(PATH) {
        Some("") => list(request).await,
        Some(rest) if rest.rfind('/') == Some(0) => match *request.method() {
            Method::GET => get(request).await,
            Method::PUT => put(request).await,
            Method::DELETE => delete(request).await,
            _ => Err(Problem::method_not_allowed(&[Method::GET, Method::PUT, Method::DELETE])),
        },
        _ => Err(Problem::new(Kind::NotFound, "There are /v1/metrics and /v1/metrics/{key}.")),
    }
}

async fn list(request: &mut Incoming) -> Result<Reply, Problem> {
    request.require_method(&Method::GET)?;
    let authority = authority(request.headers()).await?;
    let found = postgres::LONG.call(statements::LIST_METRICS, vec![authority.into_json().into()]).await?;
    Ok(Reply::json_text(found))
}

async fn get(request: &mut Incoming) -> Result<Reply, Problem> {
    let authority = authority(request.headers()).await?;
    let parameters = vec![authority.into_json().into(), key_of(request)?.into()];
    Ok(Reply::json_text(postgres::LONG.call(statements::GET_METRIC, parameters).await?))
}

async fn put(request: &mut Incoming) -> Result<Reply, Problem> {
    let authority = member(request.headers()).await?;
    let key = key_of(request)?;
    request.require_json()?;
    let definition = Definition::read(&request.read(MAX_BODY_BYTES).await?)?;
    let parameters = vec![authority.into_json().into(), key.into(), definition.into_json()?.into()];
    let put = Put::read(&postgres::LONG.call(statements::PUT_METRIC, parameters).await?)?;
    if put.created { Reply::created(&put.metric) } else { Reply::json(&put.metric) }
}

async fn delete(request: &mut Incoming) -> Result<Reply, Problem> {
    let authority = member(request.headers()).await?;
    let parameters = vec![authority.into_json().into(), key_of(request)?.into()];
    postgres::LONG.call(statements::DELETE_METRIC, parameters).await?;
    Ok(Reply::no_content())
}

fn key_of(request: &Incoming) -> Result<String, Problem> {
    key(request.path().rsplit('/').next().unwrap_or_default()).map(str::to_owned)
}
