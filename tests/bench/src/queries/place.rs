//! The stores that are asked about.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};
use tally_core::api_key::ApiKey;

use crate::data::Store;
use crate::ground::Arena;
use crate::preload;
use crate::writer::{Expected, connect, post};

/// How many days the levels of stock reach back: the range of a dashboard, and the one before it.
const DAYS_OF_STOCK: i64 = 60;

/// A store of a database, and who may ask about it.
pub(crate) struct Place<'a> {
    pub(crate) arena: &'a Arena,
    pub(crate) store: Store,
    pub(crate) timezone: String,
    /// How many events it has.
    pub(crate) events: i64,
    pub(crate) api_key: String,
    /// As the function `query` hands it to the database.
    pub(crate) authority: String,
}

impl<'a> Place<'a> {
    /// The store that has the nearest to `wanted` events of the `loaded` ones.
    pub(crate) async fn find(arena: &'a Arena, loaded: usize, wanted: usize) -> Result<Self> {
        let stores = arena.organizations.iter().flat_map(|organization| {
            organization.stores.iter().map(|store| (store.clone(), organization.api_key.clone()))
        });
        let (store, api_key) = stores.into_iter().nth(preload::place_of(loaded, wanted)).context("no such store")?;
        let session = connect(&arena.database_url).await?;
        let found = "select s.timezone, (select count(*) from public.metric_events e where e.org_id = s.org_id and e.store_id = s.id)
                     from public.stores s where s.org_id = $1 and s.id = $2";
        let row = session.query_one(found, &[&store.org_id, &store.id]).await?;
        let key = ApiKey::parse(&api_key).context("no API key")?.map_err(|problem| anyhow::anyhow!("{problem:?}"))?;
        let authority = json!({"api_key_hash": key.hash()}).to_string();
        Ok(Self { arena, store, timezone: row.get(0), events: row.get(1), api_key, authority })
    }

    /// Sends levels of stock, of which the past that was loaded has none.
    pub(crate) async fn stock(&self) -> Result<()> {
        let events: Vec<Value> = (0..DAYS_OF_STOCK)
            .flat_map(|day| ["north", "south"].map(|location| (day, location)))
            .map(|(day, location)| {
                let recorded_at = Timestamp::now() - (1 + 24 * day).hours();
                json!({
                    "id": format!("stock-{day}-{location}"), "metric": "inventory_level", "store_id": self.store.id,
                    "value": (1_000 - day).to_string(), "recorded_at": recorded_at.to_string(), "source": "erp",
                    "dimensions": {"location": location},
                })
            })
            .collect();
        let (url, count) = (format!("{}/v1/events", self.arena.base_url()), events.len());
        let body = Bytes::from(Value::Array(events).to_string());
        let receipt = post(&reqwest::Client::new(), &url, &self.api_key, body, None).await?;
        receipt.check(Expected::New, count).context("levels of stock")?;
        ensure!(self.events > 0, "the store has no events");
        Ok(())
    }
}
