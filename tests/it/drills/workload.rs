//! A thousand batches of several tenants, stores and metrics that get in each other's way: the same events, the same
//! buckets, and restatements.

use serde_json::json;

use crate::answer::ask;
use crate::harness::{Batch, Bundle, Event, Ledger, Receipt, Tenant};

/// How many batches [`enter`] makes, besides one for each tenant that is sent at once.
pub(super) const BATCHES: usize = 1_000;

const COMPANIES: [&str; 4] = ["acme", "bolt", "coil", "dyne"];
/// Besides New York; their days begin at other quarter hours.
const ZONES: [&str; 2] = ["Asia/Kathmandu", "Pacific/Chatham"];
const METRICS: [&str; 4] = ["revenue", "orders", "ad_spend", "inventory_level"];
/// Around the ends of days and of a month.
const TIMES: [&str; 6] = [
    "2026-01-31T23:59:59Z",
    "2026-02-01T00:00:00Z",
    "2026-02-01T04:59:59Z",
    "2026-02-01T05:00:00Z",
    "2026-02-01T18:15:00Z",
    "2026-02-01T18:20:00Z",
];
/// Of so many batches of a tenant one restates.
const RESTATING: usize = 5;
const RESTATED: usize = 10;
const SHARED: usize = 4;

/// A tenant and its stores.
struct Company {
    tenant: Tenant,
    stores: Vec<String>,
}

impl Company {
    async fn found(bundle: &Bundle, name: &str) -> Self {
        let tenant = bundle.tenant(name).await.unwrap();
        let mut stores = vec![tenant.store_id.clone()];
        for zone in ZONES {
            stores.push(tenant.add_store(bundle, zone).await.unwrap());
        }
        Self { tenant, stores }
    }

    /// Event number so and so: always the same.
    fn event(&self, number: usize) -> Event {
        self.with_content(number, number)
    }

    /// The same event with other values, as it is restated.
    fn restated(&self, number: usize) -> Event {
        self.with_content(number, number + 3)
    }

    fn with_content(&self, number: usize, content: usize) -> Event {
        let metric = METRICS[content % METRICS.len()];
        let channel = ["web", "app"][content / 2 % 2];
        let is_money = matches!(metric, "revenue" | "ad_spend");
        Event {
            store_id: self.stores[number % self.stores.len()].clone(),
            id: format!("event-{number}"),
            recorded_at: TIMES[number / 3 % TIMES.len()].to_owned(),
            metric: metric.to_owned(),
            value: format!("{}.{:02}", content % 500, content % 100),
            currency: is_money.then(|| ["USD", "EUR"][content / 7 % 2].to_owned()),
            dimensions: json!({"channel": channel}),
        }
    }

    /// Those of its events that batch number so and so restates, if it does.
    fn to_be_restated(&self, number: usize) -> impl Iterator<Item = usize> {
        let begin = 1_000_000 + number * RESTATED;
        begin..begin + RESTATED
    }
}

fn restates(number: usize) -> bool {
    (number / COMPANIES.len()).is_multiple_of(RESTATING)
}

/// Signs the tenants up, stores what is to be restated, and enters everything into the ledger; answers the numbers of
/// the batches that are still to be sent.
pub(super) async fn enter(bundle: &Bundle, ledger: &mut Ledger) -> Vec<usize> {
    let mut companies = Vec::new();
    for name in COMPANIES {
        companies.push(Company::found(bundle, name).await);
    }
    // The plan that allows most.
    let mut database = bundle.database().await.unwrap();
    sqlx::query("update public.organizations set plan_tier = 'enterprise'").execute(&mut database).await.unwrap();

    for (place, company) in companies.iter().enumerate() {
        let restating = (place..BATCHES).step_by(COMPANIES.len()).filter(|number| restates(*number));
        let events = restating.flat_map(|number| company.to_be_restated(number)).map(|number| company.event(number));
        let number = ledger.enter(Batch::new(&company.tenant, false, events.collect()).unwrap());
        let batch = &ledger.batches()[number];
        let receipt = Receipt::of(&ask(batch.request(bundle, &bundle.base_url)).await.ok());
        assert_eq!(receipt, Receipt { accepted: batch.len(), ..Receipt::default() });
        ledger.acknowledge(number);
    }
    (0..BATCHES)
        .map(|number| {
            let company = &companies[number % companies.len()];
            ledger.enter(Batch::new(&company.tenant, restates(number), events(company, number)).unwrap())
        })
        .collect()
}

/// 20 to 50 events: its own, a few that the tenant's neighbouring batch has too, and some of those to be restated: by
/// this batch, or by the one before, which it must not undo.
fn events(company: &Company, number: usize) -> Vec<Event> {
    let pair = number / (2 * COMPANIES.len());
    let shared = (0..SHARED).map(|index| company.event(2_000_000 + pair * SHARED + index));
    let mut events: Vec<Event> = shared.collect();
    if restates(number) {
        events.extend(company.to_be_restated(number).map(|number| company.restated(number)));
    } else if let Some(before) = number.checked_sub(COMPANIES.len()).filter(|before| restates(*before)) {
        events.extend(company.to_be_restated(before).map(|number| company.event(number)));
    }
    let length = 20 + number * 7 % 31;
    let own = (events.len()..length).map(|index| company.event(number * 100 + index));
    events.extend(own.collect::<Vec<_>>());
    // Not all in one order.
    if number % 2 == 1 {
        events.reverse();
    }
    events
}
