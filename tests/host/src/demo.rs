//! The demo tenant: Acme, whose founder signs up, has one store, and sends a record shop's purchases of 1997 and 1998.
//!
//! Everything goes through the public HTTP API that has one. Loading it again changes nothing.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use uuid::{Uuid, uuid};

use crate::cdnow::{self, Purchase};
use crate::dev::{DemoTenant, Dev};
use crate::identity::{User, send};
use crate::progress::say;

const USER_ID: Uuid = uuid!("ac3e0000-0000-4000-8000-000000000001");
const STORE: &str = "cdnow";
const PURCHASES: &str = include_str!("../../data/cdnow_sample.txt");
const BATCH: usize = 1000;
/// An order is two events: what it cost, and that it was.
const EVENTS_PER_PURCHASE: usize = 2;

/// Loads the tenant through the functions that serve at `dev.base_url`; answers it.
pub async fn load(dev: &Dev) -> Result<DemoTenant> {
    let client = Client::builder().timeout(Duration::from_secs(60)).build()?;
    let identity = dev.identity();
    let user = User { id: USER_ID, email: "founder@acme.example".to_owned(), company: "Acme".to_owned() };
    identity.sign_up(&client, &dev.base_url, &user).await.context("the demo's sign-up")?;
    let claims = identity.sign_in(&client, &dev.base_url, &user).await.context("the demo's sign-in")?;
    let org_id = claims.get("org_id").and_then(Value::as_str).context("the demo's token has no org_id")?.to_owned();
    let access_token = identity.mint(&Value::Object(claims))?;

    let mut owner = Owner::connect(&dev.database_url).await?;
    owner.keep_for_ever(&org_id).await?;
    let workspace_id = owner.workspace(&org_id).await?;
    let store_id = owner.store(&org_id, &workspace_id).await?;
    let known_key = dev.tenant.as_ref().map(|tenant| tenant.api_key.as_str());
    let api_key = owner.api_key(&org_id, &store_id, known_key).await?;

    let purchases = cdnow::parse(PURCHASES)?;
    if owner.events(&org_id, &store_id).await? < purchases.len() * EVENTS_PER_PURCHASE {
        let sender = Sender { client, url: format!("{}/v1/events", dev.base_url), api_key: &api_key };
        sender.send_all(&purchases, &store_id).await.context("the demo's events")?;
    }
    owner.connection.close().await?;
    Ok(DemoTenant { user_id: USER_ID.to_string(), org_id, workspace_id, store_id, api_key, access_token })
}

/// The database's owner, for what has no HTTP API.
struct Owner {
    connection: PgConnection,
}

impl Owner {
    async fn connect(database_url: &str) -> Result<Self> {
        let mut connection = PgConnection::connect(database_url).await?;
        // Whoever migrates may act as the role that all belongs to, superuser or not.
        sqlx::raw_sql("set role tally_owner").execute(&mut connection).await?;
        Ok(Self { connection })
    }

    /// The plan that keeps events of 1997, which maintenance would remove under another.
    async fn keep_for_ever(&mut self, org_id: &str) -> Result<()> {
        let statement = "update public.organizations set plan_tier = 'enterprise' where id = $1::uuid";
        sqlx::query(statement).bind(org_id).execute(&mut self.connection).await?;
        Ok(())
    }

    async fn workspace(&mut self, org_id: &str) -> Result<String> {
        sqlx::query_scalar(
            "select id::text from public.workspaces where org_id = $1::uuid order by created_at, id limit 1",
        )
        .bind(org_id)
        .fetch_one(&mut self.connection)
        .await
        .context("the demo's organization has no workspace")
    }

    async fn store(&mut self, org_id: &str, workspace_id: &str) -> Result<String> {
        sqlx::query(
            "insert into public.stores (org_id, workspace_id, name, external_id, timezone, currency) \
             values ($1::uuid, $2::uuid, 'CDNOW', $3, 'America/New_York', 'USD') on conflict do nothing",
        )
        .bind(org_id)
        .bind(workspace_id)
        .bind(STORE)
        .execute(&mut self.connection)
        .await?;
        let query = "select id::text from public.stores where org_id = $1::uuid and external_id = $2";
        Ok(sqlx::query_scalar(query).bind(org_id).bind(STORE).fetch_one(&mut self.connection).await?)
    }

    /// The key of an earlier start if the database still knows it, else a new one.
    async fn api_key(&mut self, org_id: &str, store_id: &str, known: Option<&str>) -> Result<String> {
        if let Some(key) = known {
            let query = "select exists (select from public.api_keys where org_id = $1::uuid and revoked_at is null \
                         and key_hash = encode(sha256(convert_to($2, 'UTF8')), 'hex'))";
            if sqlx::query_scalar(query).bind(org_id).bind(key).fetch_one(&mut self.connection).await? {
                return Ok(key.to_owned());
            }
        }
        let query = "select app.create_api_key($1::uuid, 'Demo', array['events:write', 'metrics:read'], $2::uuid)";
        Ok(sqlx::query_scalar(query).bind(org_id).bind(store_id).fetch_one(&mut self.connection).await?)
    }

    async fn events(&mut self, org_id: &str, store_id: &str) -> Result<usize> {
        let query =
            "select count(*) from public.metric_events where org_id = $1::uuid and store_id = $2::uuid and source = $3";
        let count: i64 =
            sqlx::query_scalar(query).bind(org_id).bind(store_id).bind(STORE).fetch_one(&mut self.connection).await?;
        Ok(count.try_into()?)
    }
}

struct Sender<'a> {
    client: Client,
    url: String,
    api_key: &'a str,
}

impl Sender<'_> {
    async fn send_all(&self, purchases: &[Purchase], store_id: &str) -> Result<()> {
        let events: Vec<Value> = purchases.iter().flat_map(|purchase| events_of(purchase, store_id)).collect();
        say(format!("demo: sending {} events of {} purchases", events.len(), purchases.len()));
        for batch in events.chunks(BATCH) {
            let request = self.client.post(&self.url).bearer_auth(self.api_key).json(&json!({"events": batch}));
            let text = send(request).await?;
            let answer: Value = serde_json::from_str(&text)?;
            let taken = [&answer["accepted"], &answer["duplicates"]].into_iter().filter_map(Value::as_u64).sum::<u64>();
            ensure!(taken == batch.len() as u64, "not all events were taken: {text}");
        }
        Ok(())
    }
}

/// The two events of a purchase. The sample knows days only, so noon.
pub fn events_of(purchase: &Purchase, store_id: &str) -> [Value; EVENTS_PER_PURCHASE] {
    let event = |metric: &str, value: &str| {
        json!({
            "id": format!("{STORE}-{}-{metric}", purchase.line),
            "metric": metric,
            "store_id": store_id,
            "value": value,
            "recorded_at": format!("{}T12:00:00Z", purchase.date),
            "source": STORE,
            "dimensions": {"channel": "web"},
        })
    };
    let mut revenue = event("revenue", &purchase.value);
    revenue["currency"] = "USD".into();
    [revenue, event("orders", "1")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purchase_is_two_events() {
        let purchase = &cdnow::parse(PURCHASES).unwrap()[0];
        let [revenue, orders] = events_of(purchase, "s");
        assert_eq!(
            revenue,
            json!({
                "id": "cdnow-1-revenue", "metric": "revenue", "store_id": "s", "value": "29.33", "currency": "USD",
                "recorded_at": "1997-01-01T12:00:00Z", "source": "cdnow", "dimensions": {"channel": "web"},
            })
        );
        assert_eq!(orders["id"], "cdnow-1-orders");
        assert_eq!(orders["value"], "1");
        assert!(orders.get("currency").is_none());
    }
}
