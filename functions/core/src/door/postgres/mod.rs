//! The database: one statement a request, each of which answers one row of one text.

mod connections;
mod error;

use super::{variable, within};
use crate::problem::Problem;
use crate::statements::Statement;
use connections::{Held, Use};
use error::DatabaseError;
use spin_sdk::pg::{Connection, DbValue, ParameterValue};
use std::rc::Rc;
use std::time::Duration;

/// How often a statement is sent again that the server gave up for the sake of others.
const MAX_RETRIES: u32 = 3;
/// The most that is waited before the first time, and twice as long before each further one.
const PAUSE: Duration = Duration::from_millis(100);

/// For the claims of a token, a short look-up; the provider gives a hook five seconds in all, a cold start and the way there
/// and back included.
pub const HOOK: Database = Database {
    connections: Use::Shared,
    // Nearly all of the time there is: who asks again stands at the end of the line again.
    open_deadline: Duration::from_secs(3),
    deadline: Duration::from_millis(3_500),
};

/// For a sign-up, which may wait for another one of the same name: not on a connection that others share.
pub const SIGN_UP: Database = Database { connections: Use::Exclusive, ..HOOK };

/// For statements that may work for a while.
pub const LONG: Database =
    Database { connections: Use::Exclusive, open_deadline: Duration::from_secs(3), deadline: Duration::from_secs(25) };

/// How a function uses its database.
#[derive(Debug, Clone, Copy)]
pub struct Database {
    connections: Use,
    /// The most that having a connection may take; the pool of the platform would wait without end.
    open_deadline: Duration,
    /// The most that everything may take. A little more than the role's `statement_timeout`, which ends the work on the
    /// server: this one is for a network that says nothing.
    deadline: Duration,
}

impl Database {
    /// Sends a statement to the database that the variable `database_url` names, and answers its text.
    pub async fn call(&self, statement: Statement, parameters: Vec<ParameterValue>) -> Result<String, Problem> {
        let url = variable("database_url").await?;
        within(self.deadline, self.answer(&url, statement, &parameters))
            .await
            .unwrap_or(Err(DatabaseError::Deadline(self.deadline)))
            .map_err(DatabaseError::into_problem)
    }

    /// What the server gave up for the sake of others, to end a deadlock, is sent again: it is undone for sure.
    async fn answer(
        &self,
        url: &str,
        statement: Statement,
        parameters: &[ParameterValue],
    ) -> Result<String, DatabaseError> {
        for retry in 0..MAX_RETRIES {
            match self.attempt(url, statement, parameters).await {
                Err(error) if error.is_of_concurrency() => spin_sdk::time::sleep(pause(retry)).await,
                answer => return answer,
            }
        }
        self.attempt(url, statement, parameters).await
    }

    /// A connection may have died, with the server or a proxy, since it was used last or while the statement was under way.
    /// Which of the two, and what became of the statement, cannot be told; so what fails that way is sent once more, on a new
    /// one, if it may be.
    async fn attempt(
        &self,
        url: &str,
        statement: Statement,
        parameters: &[ParameterValue],
    ) -> Result<String, DatabaseError> {
        let held = self.connections.obtain(url, self.open_deadline).await?;
        match self.run(held, statement.text(), parameters).await {
            Err(error) if error.is_of_the_connection() && statement.is_repeatable() => {
                self.run(self.connections.open(url, self.open_deadline).await?, statement.text(), parameters).await
            }
            answer => answer,
        }
    }

    async fn run(
        &self,
        held: Rc<Held>,
        statement: &str,
        parameters: &[ParameterValue],
    ) -> Result<String, DatabaseError> {
        // Forgotten unless it answers: one that is given up may still be busy with the statement.
        let mut doubtful = Doubtful { connections: self.connections, held: Some(Rc::clone(&held)) };
        let answer = text(held.connection(), statement, parameters).await;
        if !answer.as_ref().is_err_and(DatabaseError::is_of_the_connection) {
            doubtful.held = None;
            self.connections.end(held);
        }
        answer
    }
}

/// Forgets a connection when it goes, also when the statement is given up half way.
struct Doubtful {
    connections: Use,
    held: Option<Rc<Held>>,
}

impl Drop for Doubtful {
    fn drop(&mut self) {
        if let Some(held) = &self.held {
            self.connections.forget(held);
        }
    }
}

/// Anything up to twice as long each time, so that those who met do not meet again.
fn pause(retry: u32) -> Duration {
    // Without randomness it is the whole of it.
    (PAUSE * 2_u32.pow(retry)).mul_f64(getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX)))
}

#[expect(clippy::disallowed_methods, reason = "this is the door")]
async fn text(
    connection: &Connection,
    statement: &str,
    parameters: &[ParameterValue],
) -> Result<String, DatabaseError> {
    // A copy for each time it is sent, and no more at once: a batch can be large.
    let mut result = connection.query(statement, parameters.to_vec()).await.map_err(DatabaseError::from_statement)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_bounded_and_differ() {
        for (retry, bound) in [(0, 100), (1, 200), (2, 400)] {
            let pauses: std::collections::HashSet<_> = (0..20).map(|_| pause(retry)).collect();
            assert!(pauses.len() > 1, "{pauses:?}");
            assert!(pauses.iter().all(|pause| *pause <= Duration::from_millis(bound)), "{pauses:?}");
        }
    }
}
