//! The contestants: the ways that a question is asked. Each client has an asker of its own, with one connection that stays open.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use reqwest::Client;
use tokio_postgres::{Client as Session, Statement};

use super::place::Place;
use super::question::Request;
use crate::writer::connect;

const HTTP_LIMIT: Duration = Duration::from_secs(60);
const QUERY_METRICS: &str = "select api.query_metrics($1::text, $2::text)";
/// It would compile the plan of a large store anew each time, which takes longer than it saves.
const EVENTS: &str = "set jit = off";
const SCAN: &str =
    "set jit = off; set enable_indexscan = off; set enable_indexonlyscan = off; set enable_bitmapscan = off";

/// What is asked, and how.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// The service, one request after the other.
    Http(Vec<Request>),
    /// The database, by the statement that the service sends, as its role.
    Statement(Vec<Request>),
    /// The database, by a statement on events, as a superuser, whom no policy concerns.
    Events(String),
    /// The same without the index that has the events of a store and metric together.
    Scan(String),
}

/// One client.
pub(crate) enum Asker {
    Http { client: Client, url: String, api_key: String, bodies: Vec<Bytes> },
    Statement { session: Session, statement: Statement, authority: String, asked: Vec<String> },
    Events { session: Session, statement: Statement },
}

impl Asker {
    pub(crate) async fn new(way: &Way, place: &Place<'_>) -> Result<Self> {
        Ok(match way {
            Way::Http(requests) => Self::Http {
                client: Client::builder().timeout(HTTP_LIMIT).pool_max_idle_per_host(1).build()?,
                url: format!("{}/v1/query", place.arena.base_url()),
                api_key: place.api_key.clone(),
                bodies: requests.iter().map(|request| request.body.clone()).collect(),
            },
            Way::Statement(requests) => {
                let session = connect(&place.arena.query_url).await?;
                let statement = session.prepare(QUERY_METRICS).await?;
                let asked = requests.iter().map(|request| request.asked.clone()).collect();
                Self::Statement { session, statement, authority: place.authority.clone(), asked }
            }
            Way::Events(sql) => Self::of_events(place, EVENTS, sql).await?,
            Way::Scan(sql) => Self::of_events(place, SCAN, sql).await?,
        })
    }

    async fn of_events(place: &Place<'_>, settings: &str, sql: &str) -> Result<Self> {
        let session = connect(&place.arena.database_url).await?;
        session.batch_execute(settings).await?;
        let statement = session.prepare(sql).await?;
        Ok(Self::Events { session, statement })
    }

    /// Asks all there is to ask, once.
    pub(crate) async fn ask(&self) -> Result<()> {
        match self {
            Self::Http { client, url, api_key, bodies } => {
                for body in bodies {
                    ask_service(client, url, api_key, body.clone()).await?;
                }
            }
            Self::Statement { session, statement, authority, asked } => {
                for asked in asked {
                    session.query_one(statement, &[authority, asked]).await?;
                }
            }
            Self::Events { session, statement } => {
                let rows = session.query(statement, &[]).await?;
                ensure!(!rows.is_empty(), "no events were found");
            }
        }
        Ok(())
    }
}

/// Asks the service; answers the body of its answer.
pub(crate) async fn ask_service(client: &Client, url: &str, api_key: &str, body: Bytes) -> Result<Bytes> {
    let request = client.post(url).bearer_auth(api_key).header("content-type", "application/json").body(body);
    let response = request.send().await?;
    let status = response.status();
    let answer = response.bytes().await.context("the answer")?;
    ensure!(status.is_success(), "POST {url} answered {status}: {}", String::from_utf8_lossy(&answer));
    Ok(answer)
}
