//! The connections an instance has out of the platform's pool: kept from request to request, and given back in time.
//!
//! Opening one costs more than using it, so an instance keeps what it opened for a turn. That is safe because a statement is
//! one call of an `api` function and leaves nothing behind on the session: no transaction, no setting, no prepared
//! statement.
//!
//! The pool is one for all instances and serves who has waited longest; it can do that only with what comes back to it. So a
//! connection goes back as soon as no statement is on it when its turn is over, or when a request of this instance waits:
//! that one has its place in the line of the pool too. It is not handed over here, since whoever leaves the line at the
//! wrong moment has the platform close the connection that was just about to be theirs.
//!
//! Of requests that may share one, only the first stands in that line: the others of the instance wait for what it gets.

use super::error::DatabaseError;
use crate::door::within;
use futures::channel::oneshot;
use spin_sdk::pg::Connection;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::thread::LocalKey;
use std::time::Duration;

/// How long an instance keeps a connection: long enough that opening it hardly counts, short enough that nobody waits in
/// vain for what others keep.
const TURN: Duration = Duration::from_millis(50);
/// Idle connections an instance keeps; more would be taken from the other instances.
const MAX_IDLE: usize = 4;

thread_local! {
    static SHARED: RefCell<Line> = const { RefCell::new(Line::new()) };
    static EXCLUSIVE: RefCell<Line> = const { RefCell::new(Line::new()) };
}

/// Whether statements may run side by side on one connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Use {
    /// Short look-ups: pipelined on one connection.
    Shared,
    /// Long statements: a connection each.
    Exclusive,
}

/// A connection, and the URL it was opened with.
pub(super) struct Held {
    url: String,
    connection: Connection,
    turn_is_over: Cell<bool>,
}

/// What the requests of an instance have in common.
struct Line {
    idle: Vec<Rc<Held>>,
    /// How many requests wait for the platform's pool.
    waiting: usize,
    /// Who waits for the request that opens a connection for all of them.
    following: Vec<oneshot::Sender<()>>,
}

impl Line {
    const fn new() -> Self {
        Self { idle: Vec::new(), waiting: 0, following: Vec::new() }
    }
}

/// A request that waits for the platform's pool, for as long as this is there. When it goes, however that ended, those
/// who follow it look again.
struct Waiting(Use);

impl Waiting {
    fn begin(connections: Use) -> Self {
        connections.line().with_borrow_mut(|line| line.waiting += 1);
        Self(connections)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.line().with_borrow_mut(|line| {
            line.waiting -= 1;
            line.following.clear();
        });
    }
}

impl Held {
    /// The connection itself.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl Use {
    /// A kept connection, or else a new one.
    pub(super) async fn obtain(self, url: &str, deadline: Duration) -> Result<Rc<Held>, DatabaseError> {
        match self.kept(url) {
            Some(kept) => Ok(kept),
            None => self.open(url, deadline).await,
        }
    }

    /// A new connection, which the platform's pool has perhaps used before.
    pub(super) async fn open(self, url: &str, deadline: Duration) -> Result<Rc<Held>, DatabaseError> {
        let opening = async {
            match self {
                Self::Shared => self.open_together(url).await,
                Self::Exclusive => self.open_alone(url).await,
            }
        };
        within(deadline, opening).await.unwrap_or(Err(DatabaseError::OpenDeadline(deadline)))
    }

    /// The first request opens it, and the others wait; where that fails, the next one tries.
    async fn open_together(self, url: &str) -> Result<Rc<Held>, DatabaseError> {
        while let Some(ended) = self.follow() {
            // Nobody says how it ended: what counts is what is there now.
            let _ended = ended.await;
            if let Some(opened) = self.kept(url) {
                return Ok(opened);
            }
        }
        self.open_alone(url).await
    }

    async fn open_alone(self, url: &str) -> Result<Rc<Held>, DatabaseError> {
        let waiting = Waiting::begin(self);
        let connection = open(url).await?;
        let held = Rc::new(Held { url: url.to_owned(), connection, turn_is_over: Cell::new(false) });
        if matches!(self, Self::Shared) {
            self.keep(Rc::clone(&held), 1);
        }
        drop(waiting);
        let mine = Rc::downgrade(&held);
        // Not left to the next request, which may never come.
        spin_sdk::wasip3::spawn(async move {
            spin_sdk::time::sleep(TURN).await;
            if let Some(held) = mine.upgrade() {
                held.turn_is_over.set(true);
                self.forget(&held);
            }
        });
        Ok(held)
    }

    /// The end of another request's wait for the platform's pool, if one waits.
    fn follow(self) -> Option<oneshot::Receiver<()>> {
        self.line().with_borrow_mut(|line| {
            (line.waiting > 0).then(|| {
                let (sender, ended) = oneshot::channel();
                line.following.push(sender);
                ended
            })
        })
    }

    /// After a statement: keeps the connection for the next one, unless it is to go back.
    pub(super) fn end(self, held: Rc<Held>) {
        if matches!(self, Self::Exclusive) && self.line().with_borrow(|line| line.waiting == 0) {
            self.keep(held, MAX_IDLE);
        }
    }

    /// Has nobody get this connection any more.
    pub(super) fn forget(self, held: &Rc<Held>) {
        self.line().with_borrow_mut(|line| line.idle.retain(|kept| !Rc::ptr_eq(kept, held)));
    }

    fn keep(self, held: Rc<Held>, at_most: usize) {
        if held.turn_is_over.get() {
            return;
        }
        self.line().with_borrow_mut(|line| {
            if line.idle.len() < at_most {
                line.idle.push(held);
            }
        });
    }

    fn kept(self, url: &str) -> Option<Rc<Held>> {
        self.line().with_borrow_mut(|line| {
            // A rotated password is another URL; the connections of the old one go.
            line.idle.retain(|held| held.url == url);
            match self {
                Self::Shared => line.idle.last().map(Rc::clone),
                Self::Exclusive => line.idle.pop(),
            }
        })
    }

    fn line(self) -> &'static LocalKey<RefCell<Line>> {
        match self {
            Self::Shared => &SHARED,
            Self::Exclusive => &EXCLUSIVE,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the door")]
async fn open(url: &str) -> Result<Connection, DatabaseError> {
    Connection::open(url).await.map_err(|error| DatabaseError::Open(Box::new(error)))
}
