//! The database: one statement a request, each of which answers one row of one text.
//!
//! An instance keeps its connections from request to request, since opening one costs more than using it. That is safe
//! because a statement is one call of an `api` function and leaves nothing behind on the session: no transaction, no
//! setting, no prepared statement. Look-ups share one connection and are pipelined on it; statements that take long have
//! one to themselves.

use super::within;
use crate::problem::{Kind, Problem};
use crate::sqlstate::{self, ServerError};
use futures::channel::oneshot;
use futures::future::{Either, select};
use spin_sdk::pg::{Connection, DbValue, Error, ParameterValue, PgError, QueryError};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

/// Idle connections an instance keeps; more would be taken from the other instances, which share the pool of 64.
const MAX_IDLE: usize = 4;

/// A connection and the URL it was opened with.
type Kept = (String, Rc<Connection>);

thread_local! {
    static IDLE: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
    /// Requests that want a connection of their own and wait for the platform's pool, the first first. Waking one from
    /// another is what the crate `wit-bindgen` is a dependency for: without its feature it would trap.
    static WAITING: RefCell<VecDeque<oneshot::Sender<Kept>>> = const { RefCell::new(VecDeque::new()) };
}

enum Obtained {
    New(Rc<Connection>),
    Kept(Rc<Connection>),
}

/// For the claims of a token, a short look-up; the provider gives a hook five seconds in all, a cold start and the way there
/// and back included.
pub const HOOK: Database = Database {
    connections: Use::Shared,
    open_deadline: Duration::from_millis(1_000),
    deadline: Duration::from_millis(3_500),
};

/// For a sign-up, which may wait for another one of the same name: not on a connection that others share.
pub const SIGN_UP: Database = Database { connections: Use::Exclusive, ..HOOK };

/// For statements that may work for a while.
pub const LONG: Database =
    Database { connections: Use::Exclusive, open_deadline: Duration::from_secs(3), deadline: Duration::from_secs(25) };

/// Whether statements may run side by side on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Short look-ups: pipelined on one connection.
    Shared,
    /// Long statements: a connection each.
    Exclusive,
}

/// How a function uses its database.
#[derive(Debug, Clone, Copy)]
pub struct Database {
    connections: Use,
    /// The most that opening a connection may take; the pool of the platform would wait without end.
    open_deadline: Duration,
    /// The most that everything may take. A little more than the role's `statement_timeout`, which ends the work on the
    /// server: this one is for a network that says nothing.
    deadline: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum DatabaseError {
    #[error("no connection within {0:?}")]
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

impl Database {
    /// Sends a statement to the database that `url` names and answers its text.
    pub async fn call(&self, url: &str, statement: &str, parameters: Vec<ParameterValue>) -> Result<String, Problem> {
        within(self.deadline, self.answer(url, statement, parameters))
            .await
            .unwrap_or(Err(DatabaseError::Deadline(self.deadline)))
            .map_err(DatabaseError::into_problem)
    }

    /// A kept connection may have died since it was used last, with the server or a proxy; what fails on one that way is
    /// sent once more on a new one. That is safe because every statement may be sent twice: sign-ups, events and tokens
    /// are the same the second time.
    async fn answer(
        &self,
        url: &str,
        statement: &str,
        parameters: Vec<ParameterValue>,
    ) -> Result<String, DatabaseError> {
        let new = match self.connection(url).await? {
            Obtained::New(connection) => connection,
            Obtained::Kept(kept) => match self.run(url, kept, statement, parameters.clone()).await {
                Err(error) if error.is_of_the_connection() => self.open(url).await?,
                answer => return answer,
            },
        };
        self.run(url, new, statement, parameters).await
    }

    /// A kept connection, or a new one; or, where the platform's pool is empty, the one that another request of this
    /// instance is done with first.
    async fn connection(&self, url: &str) -> Result<Obtained, DatabaseError> {
        if let Some(kept) = self.kept(url) {
            return Ok(Obtained::Kept(kept));
        }
        let (waiter, returned) = oneshot::channel();
        if self.connections == Use::Exclusive {
            WAITING.with_borrow_mut(|waiting| waiting.push_back(waiter));
        }
        match select(pin!(self.open(url)), returned).await {
            Either::Left((opened, _)) => Ok(Obtained::New(opened?)),
            Either::Right((Ok((kept_url, kept)), _)) if kept_url == url => Ok(Obtained::Kept(kept)),
            Either::Right((_, opening)) => Ok(Obtained::New(opening.await?)),
        }
    }

    async fn open(&self, url: &str) -> Result<Rc<Connection>, DatabaseError> {
        let opened = within(self.open_deadline, open(url)).await;
        Ok(Rc::new(opened.ok_or(DatabaseError::OpenDeadline(self.open_deadline))??))
    }

    async fn run(
        &self,
        url: &str,
        connection: Rc<Connection>,
        statement: &str,
        parameters: Vec<ParameterValue>,
    ) -> Result<String, DatabaseError> {
        if self.connections == Use::Shared {
            keep(url, &connection, 1);
        }
        // Forgotten unless it answers: one that is given up may still be busy with the statement.
        let mut doubtful = Doubtful(Some(&connection));
        let answer = text(&connection, statement, parameters).await;
        if !answer.as_ref().is_err_and(DatabaseError::is_of_the_connection) {
            doubtful.0 = None;
            if self.connections == Use::Exclusive {
                keep(url, &connection, MAX_IDLE);
            }
        }
        answer
    }

    fn kept(&self, url: &str) -> Option<Rc<Connection>> {
        IDLE.with_borrow_mut(|idle| {
            // A rotated password is another URL; the connections of the old one go.
            idle.retain(|(kept_url, _)| kept_url == url);
            match self.connections {
                Use::Shared => idle.last().map(|(_, connection)| Rc::clone(connection)),
                Use::Exclusive => idle.pop().map(|(_, connection)| connection),
            }
        })
    }
}

/// Forgets a connection when it goes, also when the statement is given up half way.
struct Doubtful<'a>(Option<&'a Rc<Connection>>);

impl Drop for Doubtful<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.0 {
            forget(connection);
        }
    }
}

/// Hands a connection to whoever has waited longest, else keeps it.
fn keep(url: &str, connection: &Rc<Connection>, at_most: usize) {
    let mut kept = (url.to_owned(), Rc::clone(connection));
    while let Some(waiter) = WAITING.with_borrow_mut(VecDeque::pop_front) {
        match waiter.send(kept) {
            Ok(()) => return,
            // Gave up, or got a new one.
            Err(back) => kept = back,
        }
    }
    IDLE.with_borrow_mut(|idle| {
        if idle.len() < at_most {
            idle.push(kept);
        }
    });
}

fn forget(connection: &Rc<Connection>) {
    IDLE.with_borrow_mut(|idle| idle.retain(|(_, kept)| !Rc::ptr_eq(kept, connection)));
}

#[expect(clippy::disallowed_methods, reason = "this is the door")]
async fn open(url: &str) -> Result<Connection, DatabaseError> {
    Connection::open(url).await.map_err(|error| DatabaseError::Open(Box::new(error)))
}

#[expect(clippy::disallowed_methods, reason = "this is the door")]
async fn text(
    connection: &Connection,
    statement: &str,
    parameters: Vec<ParameterValue>,
) -> Result<String, DatabaseError> {
    let mut result = connection.query(statement, parameters).await.map_err(DatabaseError::from_statement)?;
    let mut rows = Vec::new();
    while let Some(row) = result.rows().next().await {
        rows.push(row);
    }
    // What went wrong after the statement was sent is told here and nowhere else.
    result.result().await.map_err(DatabaseError::from_statement)?;
    match rows.as_mut_slice() {
        [row] => match row.as_mut_slice() {
            [DbValue::Str(text)] => Ok(std::mem::take(text)),
            _ => Err(DatabaseError::Shape),
        },
        _ => Err(DatabaseError::Shape),
    }
}

impl DatabaseError {
    fn from_statement(error: Error) -> Self {
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
    fn is_of_the_connection(&self) -> bool {
        matches!(self, Self::Transport(_) | Self::SessionEnded(_))
    }

    fn into_problem(self) -> Problem {
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
