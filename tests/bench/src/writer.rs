//! The contestants: the ways that rows are written. Each client of a turn has a writer of its own, with one connection that
//! stays open; what it sends is made before the clock starts.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use futures::SinkExt as _;
use reqwest::Client;
use serde::Deserialize;
use tokio_postgres::{NoTls, Statement};

use crate::data::{Batch, COLUMNS, Row, copy_text, json_body};

const HTTP_LIMIT: Duration = Duration::from_secs(60);

/// What to do with the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A request with all of them.
    Http(Expected),
    /// `COPY` of all of them into a table without rollups, in a transaction.
    Copy,
    /// An `INSERT` for each into another such table, in a transaction each.
    Insert,
}

/// What all the events of a request must turn out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    New,
    Duplicates,
    /// Sent with `on_conflict=replace`.
    Replaced,
}

/// Events as a writer sends them.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) rows: usize,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Body { body: Bytes, api_key: String },
    Copy(Bytes),
    Rows(Vec<Row>),
}

impl Way {
    /// Makes a batch ready to be sent.
    pub(crate) fn pack(self, batch: &Batch) -> Parcel {
        let events = &batch.events;
        let content = match self {
            Self::Http(_) => Content::Body { body: json_body(events), api_key: batch.api_key.clone() },
            Self::Copy => Content::Copy(copy_text(events)),
            Self::Insert => Content::Rows(events.iter().map(Row::from).collect()),
        };
        Parcel { rows: events.len(), content }
    }
}

/// One client.
pub(crate) struct Writer(Inner);

enum Inner {
    Http { client: Client, url: String, expected: Expected },
    Copy { session: tokio_postgres::Client, statement: Statement },
    Insert { session: tokio_postgres::Client, statement: Statement },
}

impl Writer {
    /// A client of the service at `base_url`, or of the database behind it.
    pub(crate) async fn new(way: Way, base_url: &str, database_url: &str) -> Result<Self> {
        Ok(Self(match way {
            Way::Http(expected) => {
                let query = if expected == Expected::Replaced { "?on_conflict=replace" } else { "" };
                let client = Client::builder().timeout(HTTP_LIMIT).pool_max_idle_per_host(1).build()?;
                Inner::Http { client, url: format!("{base_url}/v1/events{query}"), expected }
            }
            Way::Copy => {
                let session = connect(database_url).await?;
                let statement = session.prepare(&format!("copy bench.copied ({COLUMNS}) from stdin")).await?;
                Inner::Copy { session, statement }
            }
            Way::Insert => {
                let session = connect(database_url).await?;
                let insert = format!(
                    "insert into bench.inserted ({COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7::text::numeric, $8, $9)"
                );
                let statement = session.prepare(&insert).await?;
                Inner::Insert { session, statement }
            }
        }))
    }

    /// Writes a parcel; answers when it is committed.
    pub(crate) async fn write(&self, parcel: &Parcel) -> Result<()> {
        match (&self.0, &parcel.content) {
            (Inner::Http { client, url, expected }, Content::Body { body, api_key }) => {
                let receipt = post(client, url, api_key, body.clone(), None).await?;
                receipt.check(*expected, parcel.rows)
            }
            (Inner::Copy { session, statement }, Content::Copy(text)) => {
                let mut sink = Box::pin(session.copy_in(statement).await?);
                sink.send(text.clone()).await?;
                let written = sink.as_mut().finish().await?;
                ensure!(written == parcel.rows as u64, "COPY wrote {written} of {} rows", parcel.rows);
                Ok(())
            }
            (Inner::Insert { session, statement }, Content::Rows(rows)) => {
                for row in rows {
                    session.execute(statement, &row.parameters()).await?;
                }
                Ok(())
            }
            _ => bail!("this writer cannot send that"),
        }
    }
}

/// A session that is driven in the background and ends with its client.
pub(crate) async fn connect(database_url: &str) -> Result<tokio_postgres::Client> {
    let (client, connection) = tokio_postgres::connect(database_url, NoTls).await.context("the database")?;
    // What goes wrong with it, the client is told.
    tokio::spawn(async move { connection.await.ok() });
    Ok(client)
}

/// What the service answers to a batch.
#[derive(Debug, Deserialize)]
pub(crate) struct Receipt {
    accepted: usize,
    duplicates: usize,
    replaced: usize,
    #[serde(default)]
    errors: Vec<serde_json::Value>,
}

impl Receipt {
    /// Fails unless all the events were what was expected.
    pub(crate) fn check(&self, expected: Expected, rows: usize) -> Result<()> {
        let counted = match expected {
            Expected::New => self.accepted,
            Expected::Duplicates => self.duplicates,
            Expected::Replaced => self.replaced,
        };
        ensure!(
            counted == rows,
            "{rows} events should be {expected:?}, and were {} accepted, {} duplicates, {} replaced; the first error: {:?}",
            self.accepted,
            self.duplicates,
            self.replaced,
            self.errors.first()
        );
        Ok(())
    }
}

/// Sends a batch, perhaps compressed already.
pub(crate) async fn post(
    client: &Client,
    url: &str,
    api_key: &str,
    body: Bytes,
    encoding: Option<&str>,
) -> Result<Receipt> {
    let request = client.post(url).bearer_auth(api_key).header("content-type", "application/json");
    let request = encoding.into_iter().fold(request, |request, encoding| request.header("content-encoding", encoding));
    let response = request.body(body).send().await?;
    let status = response.status();
    let answer = response.bytes().await?;
    ensure!(status.is_success(), "POST {url} answered {status}: {}", String::from_utf8_lossy(&answer));
    serde_json::from_slice(&answer).context("the receipt")
}
