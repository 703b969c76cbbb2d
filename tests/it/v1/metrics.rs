//! `GET /v1/metrics`.

use serde_json::{Value, json};

use crate::answer::{ask, post};
use crate::harness::Bundle;

#[tokio::test]
async fn an_organizations_own_definition_stands_before_the_standard_one() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    sqlx::query(
        "insert into metric_definitions (org_id, key, display_name, unit, aggregation_method, category)
         values ($1::uuid, 'orders', 'Our orders', 'count', 'sum', 'own')",
    )
    .bind(&acme.org_id)
    .execute(&mut bundle.database().await.unwrap())
    .await
    .unwrap();

    for (tenant, display_name, standard) in [(&acme, "Our orders", false), (&bolt, "Orders", true)] {
        let answer = ask(bundle.client.get(bundle.url("/v1/metrics")).bearer_auth(&tenant.token)).await.ok();
        let orders: Vec<&Value> =
            answer["metrics"].as_array().unwrap().iter().filter(|metric| metric["key"] == "orders").collect();
        assert_eq!(orders.len(), 1, "{answer}");
        assert_eq!((&orders[0]["display_name"], &orders[0]["standard"]), (&json!(display_name), &json!(standard)));
    }
    ask(post(&bundle, "/v1/metrics", &acme.token, &json!({}))).await.problem(405, "method-not-allowed");
}
