//! The webhooks in `tests/data/identity`, and what became of them.

use std::fs;

use serde_json::Value;

use crate::harness::{Bundle, repository};

/// The text of a fixture.
pub(super) fn text(name: &str) -> String {
    fs::read_to_string(repository().join(format!("tests/data/identity/{name}.json"))).unwrap()
}

/// A fixture, to be changed.
pub(crate) fn fixture(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap()
}

/// The users who own an organization, and what it is called.
pub(super) async fn owners(bundle: &Bundle) -> Vec<(String, String)> {
    sqlx::query_as(
        "select m.user_id::text, o.name from org_members m join organizations o on o.id = m.org_id
         where m.role = 'owner' order by o.created_at, o.id",
    )
    .fetch_all(&mut bundle.database().await.unwrap())
    .await
    .unwrap()
}
