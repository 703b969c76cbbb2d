//! The statements that the functions send, one file each: a call of one function of the schema `api`.

use crate::problem::{Kind, Problem};
use serde::Deserialize;

/// A statement, and whether it may be sent again when its connection died and nobody knows what became of it.
#[derive(Debug, Clone, Copy)]
pub struct Statement {
    text: &'static str,
    is_repeatable: bool,
}

impl Statement {
    /// One that finds something else to do the second time, or answers something else: it is sent once.
    const fn once(text: &'static str) -> Self {
        Self { text, is_repeatable: false }
    }

    /// One that the second time counts nothing more, as when the client sent it again: events are duplicates then.
    const fn repeatable(text: &'static str) -> Self {
        Self { text, is_repeatable: true }
    }

    /// What the server is sent.
    pub const fn text(self) -> &'static str {
        self.text
    }

    /// Whether it may be sent again though it was perhaps committed.
    pub const fn is_repeatable(self) -> bool {
        self.is_repeatable
    }
}

/// `POST /hooks/user-created`.
pub const PROVISION_USER: Statement = Statement::repeatable(include_str!("statements/provision_user.sql"));
/// `POST /hooks/access-token`.
pub const ACCESS_TOKEN_CLAIMS: Statement = Statement::repeatable(include_str!("statements/access_token_claims.sql"));
/// `GET /v1/me`.
pub const GET_ME: Statement = Statement::repeatable(include_str!("statements/get_me.sql"));
/// `PUT /v1/me/active-organization`.
pub const SET_ACTIVE_ORGANIZATION: Statement =
    Statement::repeatable(include_str!("statements/set_active_organization.sql"));
/// `POST /v1/api-keys`.
pub const CREATE_API_KEY: Statement = Statement::repeatable(include_str!("statements/create_api_key.sql"));
/// `GET /v1/api-keys`.
pub const LIST_API_KEYS: Statement = Statement::repeatable(include_str!("statements/list_api_keys.sql"));
/// `DELETE /v1/api-keys/{id}`.
pub const REVOKE_API_KEY: Statement = Statement::repeatable(include_str!("statements/revoke_api_key.sql"));
/// `POST /v1/events`.
pub const INGEST_EVENTS: Statement = Statement::repeatable(include_str!("statements/ingest_events.sql"));
/// `POST /v1/events/delete`.
pub const DELETE_EVENTS: Statement = Statement::once(include_str!("statements/delete_events.sql"));
/// `GET /v1/events/changes`.
pub const LIST_EVENT_CHANGES: Statement = Statement::repeatable(include_str!("statements/list_event_changes.sql"));
/// `GET /v1/events/quarantine`.
pub const LIST_QUARANTINE: Statement = Statement::repeatable(include_str!("statements/list_quarantine.sql"));
/// `POST /v1/events/quarantine/replay`.
pub const REPLAY_QUARANTINE: Statement = Statement::once(include_str!("statements/replay_quarantine.sql"));
/// `POST /v1/events/quarantine/discard`.
pub const DISCARD_QUARANTINE: Statement = Statement::once(include_str!("statements/discard_quarantine.sql"));
/// `POST /v1/query`.
pub const QUERY_METRICS: Statement = Statement::repeatable(include_str!("statements/query_metrics.sql"));
/// `GET /v1/metrics`.
pub const LIST_METRICS: Statement = Statement::repeatable(include_str!("statements/list_metrics.sql"));
/// `GET /v1/metrics/{key}`.
pub const GET_METRIC: Statement = Statement::repeatable(include_str!("statements/get_metric.sql"));
/// `PUT /v1/metrics/{key}`.
pub const PUT_METRIC: Statement = Statement::repeatable(include_str!("statements/put_metric.sql"));
/// `DELETE /v1/metrics/{key}`.
pub const DELETE_METRIC: Statement = Statement::repeatable(include_str!("statements/delete_metric.sql"));

/// `PUT /v1/exchange-rates`.
pub const PUT_EXCHANGE_RATES: Statement = Statement::repeatable(include_str!("statements/put_exchange_rates.sql"));
/// `GET /v1/exchange-rates`.
pub const LIST_EXCHANGE_RATES: Statement = Statement::repeatable(include_str!("statements/list_exchange_rates.sql"));
/// `DELETE /v1/exchange-rates`.
pub const DELETE_EXCHANGE_RATES: Statement = Statement::once(include_str!("statements/delete_exchange_rates.sql"));

/// Reads what a statement answered, where the function goes on with it.
pub fn read_answer<'a, T: Deserialize<'a>>(answer: &'a str) -> Result<T, Problem> {
    serde_json::from_str(answer).map_err(|error| Problem::ours(Kind::Internal, error))
}
