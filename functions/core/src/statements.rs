//! The statements that the functions send, one file each: a call of one function of the schema `api`.

use crate::problem::{Kind, Problem};
use serde::Deserialize;

/// `POST /hooks/user-created`.
pub const PROVISION_USER: &str = include_str!("statements/provision_user.sql");
/// `POST /hooks/access-token`.
pub const ACCESS_TOKEN_CLAIMS: &str = include_str!("statements/access_token_claims.sql");
/// `GET /v1/me`.
pub const GET_ME: &str = include_str!("statements/get_me.sql");
/// `PUT /v1/me/active-organization`.
pub const SET_ACTIVE_ORGANIZATION: &str = include_str!("statements/set_active_organization.sql");
/// `POST /v1/api-keys`.
pub const CREATE_API_KEY: &str = include_str!("statements/create_api_key.sql");
/// `GET /v1/api-keys`.
pub const LIST_API_KEYS: &str = include_str!("statements/list_api_keys.sql");
/// `DELETE /v1/api-keys/{id}`.
pub const REVOKE_API_KEY: &str = include_str!("statements/revoke_api_key.sql");
/// `POST /v1/events`.
pub const INGEST_EVENTS: &str = include_str!("statements/ingest_events.sql");
/// `POST /v1/events/delete`.
pub const DELETE_EVENTS: &str = include_str!("statements/delete_events.sql");
/// `GET /v1/events/changes`.
pub const LIST_EVENT_CHANGES: &str = include_str!("statements/list_event_changes.sql");
/// `GET /v1/events/quarantine`.
pub const LIST_QUARANTINE: &str = include_str!("statements/list_quarantine.sql");
/// `POST /v1/events/quarantine/replay`.
pub const REPLAY_QUARANTINE: &str = include_str!("statements/replay_quarantine.sql");
/// `POST /v1/events/quarantine/discard`.
pub const DISCARD_QUARANTINE: &str = include_str!("statements/discard_quarantine.sql");
/// `POST /v1/query`.
pub const QUERY_METRICS: &str = include_str!("statements/query_metrics.sql");
/// `GET /v1/metrics`.
pub const LIST_METRICS: &str = include_str!("statements/list_metrics.sql");

/// Reads what a statement answered, where the function goes on with it.
pub fn read_answer<'a, T: Deserialize<'a>>(answer: &'a str) -> Result<T, Problem> {
    serde_json::from_str(answer).map_err(|error| Problem::ours(Kind::Internal, error))
}
