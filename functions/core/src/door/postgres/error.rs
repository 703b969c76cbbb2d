//! Why there is no answer, and what the client is told of it.

use crate::problem::{Kind, Problem};
use crate::sqlstate::{self, ServerError};
use spin_sdk::pg::{Error, PgError, QueryError};
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum DatabaseError {
    #[error("no connection within {0:?}: all of the pool are in use, or the server does not answer")]
    OpenDeadline(Duration),
    #[error("no answer within {0:?}")]
    Deadline(Duration),
    #[error("the connection cannot be opened")]
    Open(#[source] Box<Error>),
    #[error("the connection failed")]
    Transport(#[source] Box<Error>),
    #[error("a value cannot cross the door")]
    Conversion(#[source] Box<Error>),
    #[error("the server ended the session")]
    SessionEnded(#[source] ServerError),
    #[error("the server refused the statement")]
    Server(#[source] ServerError),
    #[error("the statement answered something else than one row of one text")]
    Shape,
}

impl DatabaseError {
    /// Of a statement that was sent.
    pub(super) fn from_statement(error: Error) -> Self {
        let error = match error {
            Error::PgError(PgError::QueryFailed(QueryError::DbError(error))) => error,
            Error::PgError(PgError::QueryFailed(QueryError::Text(_)) | PgError::ConnectionFailed(_)) => {
                return Self::Transport(Box::new(error));
            }
            // A parameter or a result that cannot be converted: the same the next time.
            Error::PgError(_) | Error::Decode(_) => return Self::Conversion(Box::new(error)),
        };
        let constraint = error.extras.iter().find(|(name, _)| name == "constraint").map(|(_, value)| value.clone());
        let server = ServerError { severity: error.severity, code: error.code, message: error.message, constraint };
        // With an error of these classes the server ends the session.
        if server.code.starts_with("57P") || server.code.starts_with("08") {
            Self::SessionEnded(server)
        } else {
            Self::Server(server)
        }
    }

    /// Whether another connection may do better.
    pub(super) fn is_of_the_connection(&self) -> bool {
        matches!(self, Self::Transport(_) | Self::SessionEnded(_))
    }

    /// Whether the server gave the statement up for the sake of others, and the same may do the next time.
    pub(super) fn is_of_concurrency(&self) -> bool {
        matches!(self, Self::Server(error) if sqlstate::is_of_concurrency(error))
    }

    /// What the client is told; the rest is for the log.
    pub(super) fn into_problem(self) -> Problem {
        match self {
            Self::OpenDeadline(_) | Self::Open(_) | Self::Transport(_) | Self::SessionEnded(_) => {
                Problem::ours(Kind::DatabaseUnavailable, self)
            }
            Self::Deadline(_) => Problem::ours(Kind::DatabaseSlow, self),
            Self::Conversion(_) | Self::Shape => Problem::ours(Kind::Internal, self),
            Self::Server(error) => match sqlstate::kind(&error) {
                (kind, true) => Problem::new(kind, error.message),
                (kind, false) => Problem::ours(kind, error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spin_sdk::pg::DbError;

    fn server(code: &str) -> Error {
        let text = String::new;
        let error = DbError {
            as_text: text(),
            severity: "ERROR".into(),
            code: code.into(),
            message: "text".into(),
            detail: Some("Key (email)=(w@acme.example) already exists.".into()),
            extras: vec![("constraint".into(), "stores_pkey".into())],
        };
        Error::PgError(PgError::QueryFailed(QueryError::DbError(error)))
    }

    #[test]
    fn another_connection_is_tried_only_where_it_may_do_better() {
        for (error, of_the_connection) in [
            (Error::PgError(PgError::QueryFailed(QueryError::Text("connection closed".into()))), true),
            (server("57P01"), true),
            (server("08006"), true),
            (server("23505"), false),
            (server("57014"), false),
            (Error::PgError(PgError::BadParameter("uuid".into())), false),
            (Error::PgError(PgError::ValueConversionFailed("uuid".into())), false),
            (Error::Decode("text".into()), false),
        ] {
            let name = format!("{error:?}");
            assert_eq!(DatabaseError::from_statement(error).is_of_the_connection(), of_the_connection, "{name}");
        }
    }

    #[test]
    fn the_servers_detail_is_dropped_since_it_quotes_rows() {
        let problem = DatabaseError::from_statement(server("23505")).into_problem();
        let causes: Vec<String> = std::iter::successors(std::error::Error::source(&problem), |&cause| cause.source())
            .map(|cause| format!("{cause} {cause:?}"))
            .collect();
        assert!(causes.iter().any(|cause| cause.contains("stores_pkey")), "{causes:?}");
        assert!(causes.iter().all(|cause| !cause.contains("acme.example")), "{causes:?}");
    }
}
