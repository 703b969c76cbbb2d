//! A company of a history: its stores, its metrics, and those who ask in its name.

use serde_json::json;
use uuid::Uuid;

use crate::harness::{Bundle, Random, Tenant};
use crate::sql::rollups::{METRICS, ZONES};
use crate::v1::plans::put_on_plan;

/// What a metric is, as far as it matters to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Money,
    Plain,
    Ratio,
}

/// Metrics that come into being in the course of a history.
pub(super) const LATE_METRICS: [(&str, &str, &str, &str); 2] =
    [("t_late", "currency", "sum", r#"["channel", "kind"]"#), ("t_later", "count", "last", "[]")];
/// One that does not, and a standard one that is a ratio.
pub(super) const OTHER_METRICS: [&str; 2] = ["t_never", "aov"];
const CURRENCIES: [&str; 3] = ["USD", "EUR", "JPY"];
/// Stores that are there from the start, and all that come to be.
pub(super) const FIRST_STORES: usize = 4;
pub(super) const STORES: usize = 6;

/// Plans, by how many rejected events they keep here.
const PLANS: [(&str, usize); 3] = [("free", 10_000), ("starter", 4), ("growth", 30)];

/// A store, and what else it is called.
#[derive(Clone, Debug)]
pub(super) struct Shop {
    pub(super) id: Uuid,
    pub(super) external_id: String,
    pub(super) currency: &'static str,
    zone: &'static str,
}

/// Who did something, as the record of changes names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum By {
    User(Uuid),
    Key(Uuid),
}

/// Somebody who asks.
#[derive(Clone, Debug)]
pub(super) struct Persona {
    pub(super) name: &'static str,
    pub(super) credential: String,
    pub(super) by: By,
    /// The store that the key is tied to.
    pub(super) store: Option<Uuid>,
    pub(super) may_write: bool,
}

pub(super) struct Company {
    pub(super) tenant: Tenant,
    pub(super) personas: Vec<Persona>,
    pub(super) shops: Vec<Shop>,
    /// How many rejected events are kept.
    pub(super) room: usize,
}

impl Company {
    pub(super) async fn found(bundle: &Bundle, number: usize, random: &mut Random) -> Self {
        let tenant = bundle.tenant(&format!("acme {number} {:x}", random.number())).await.unwrap();
        let (plan, room) = PLANS[number % PLANS.len()];
        put_on_plan(bundle, &tenant, plan, &format!("quarantined_events = {room}")).await;
        let shop = |index: usize| Shop {
            id: Uuid::from_u64_pair(random.number(), random.number()),
            // The same in every company, but for the last.
            external_id: if index + 1 < FIRST_STORES {
                format!("shop-{index}")
            } else {
                format!("shop-{number}-{index}")
            },
            currency: CURRENCIES[index % CURRENCIES.len()],
            zone: ZONES[index % ZONES.len()],
        };
        let mut company = Self { shops: (0..STORES).map(shop).collect(), personas: Vec::new(), tenant, room };
        for index in 0..FIRST_STORES {
            company.open(bundle, index).await;
        }
        for metric in METRICS {
            company.define(bundle, metric).await;
        }
        company.employ(bundle).await;
        company
    }

    /// What others can call its stores by.
    pub(super) fn store_names(&self) -> (Uuid, String) {
        let shop = &self.shops[FIRST_STORES - 1];
        (shop.id, shop.external_id.clone())
    }

    /// Opens one of its stores.
    pub(super) async fn open(&self, bundle: &Bundle, index: usize) {
        let Shop { id, external_id, currency, zone } = &self.shops[index];
        let statement = "insert into public.stores (org_id, workspace_id, id, name, external_id, currency, timezone) \
                         values ($1::uuid, $2::uuid, $3, $4, $4, $5, $6)";
        let query = sqlx::query(statement).bind(&self.tenant.org_id).bind(&self.tenant.workspace_id).bind(id);
        let query = query.bind(external_id).bind(currency).bind(zone);
        query.execute(&mut bundle.database().await.unwrap()).await.unwrap();
    }

    /// Defines a metric.
    pub(super) async fn define(&self, bundle: &Bundle, metric: (&str, &str, &str, &str)) {
        let (key, unit, method, dimensions) = metric;
        let statement = "insert into public.metric_definitions \
                           (org_id, key, display_name, unit, aggregation_method, category, metadata) \
                         values ($1::uuid, $2, $2, $3, $4, 'test', jsonb_build_object('rollup_dimensions', $5::jsonb))";
        let query = sqlx::query(statement).bind(&self.tenant.org_id).bind(key).bind(unit).bind(method).bind(dimensions);
        query.execute(&mut bundle.database().await.unwrap()).await.unwrap();
    }

    /// Closes the months before an instant.
    pub(super) async fn close_months(&self, bundle: &Bundle, before: &str) {
        let statement = "select app.close_organization($1::uuid, $2::timestamptz, true)";
        let query = sqlx::query_scalar(statement).bind(&self.tenant.org_id).bind(before);
        let closed: bool = query.fetch_one(&mut bundle.database().await.unwrap()).await.unwrap();
        assert!(closed);
    }

    /// Its people and its keys.
    async fn employ(&mut self, bundle: &Bundle) {
        let tenant = self.tenant.clone();
        self.hire("owner", tenant.user.id, tenant.token.clone(), true);
        for (role, may_write) in [("member", true), ("viewer", false)] {
            let user = Uuid::new_v4();
            let statement = "insert into public.org_members (org_id, user_id, role) \
                             values ($1::uuid, $2, $3::public.org_role)";
            let query = sqlx::query(statement).bind(&tenant.org_id).bind(user).bind(role);
            query.execute(&mut bundle.database().await.unwrap()).await.unwrap();
            let token = tenant.token_with(bundle, |claims| {
                claims["sub"] = json!(user);
                claims["user_role"] = json!(role);
            });
            self.hire(role, user, token.unwrap(), may_write);
        }
        for (name, scope, store) in [
            ("key", "events:write", None),
            ("key of a store", "events:write", Some(self.shops[0].id)),
            ("key that reads", "metrics:read", None),
        ] {
            let key = tenant.api_key(bundle, &[scope], store.map(|id| id.to_string()).as_deref()).await.unwrap();
            let query = "select id from public.api_keys where org_id = $1::uuid and prefix = left($2, 12)";
            let query = sqlx::query_scalar(query).bind(&tenant.org_id).bind(&key);
            let id = query.fetch_one(&mut bundle.database().await.unwrap()).await.unwrap();
            let may_write = scope == "events:write";
            self.personas.push(Persona { name, credential: key, by: By::Key(id), store, may_write });
        }
    }

    fn hire(&mut self, name: &'static str, user: Uuid, credential: String, may_write: bool) {
        self.personas.push(Persona { name, credential, by: By::User(user), store: None, may_write });
    }
}

/// What the metrics of this unit are to an event.
pub(super) fn kind(unit: &str) -> Kind {
    if unit == "currency" { Kind::Money } else { Kind::Plain }
}
