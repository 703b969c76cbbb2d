//! `GET /v1/metrics`.

use std::fs;

use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::answer::{ask, post};
use crate::harness::{Bundle, repository, until_waiting};

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

#[tokio::test]
async fn a_metric_says_what_it_means_and_a_ratio_what_it_stands_on() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let answer = ask(bundle.client.get(bundle.url("/v1/metrics")).bearer_auth(&acme.token)).await.ok();
    let metric = |key| answer["metrics"].as_array().unwrap().iter().find(|metric| metric["key"] == key).unwrap();

    let refunds = metric("refunds");
    assert!(refunds["description"].as_str().unwrap().contains("on the day the refund is processed"), "{refunds}");
    assert_eq!(refunds["dimensions"], json!(["channel"]));
    assert!(refunds.get("numerator").is_none() && refunds.get("denominator").is_none(), "{refunds}");

    let mer = metric("mer");
    assert_eq!((&mer["unit"], &mer["aggregation_method"]), (&json!("ratio"), &json!("ratio")));
    assert_eq!((&mer["numerator"], &mer["denominator"]), (&json!("revenue"), &json!("ad_spend")));

    // The page of the API has them all.
    let page = fs::read_to_string(repository().join("docs/API.md")).unwrap();
    let (_, page) = page.split_once("## `GET /v1/metrics`").unwrap();
    for metric in answer["metrics"].as_array().unwrap() {
        let mut written = format!("`{}`", metric["key"].as_str().unwrap());
        if let (Some(numerator), Some(denominator)) = (metric["numerator"].as_str(), metric["denominator"].as_str()) {
            let unit = if metric["unit"] == "currency" { "ratio, money" } else { "ratio" };
            written = format!("| {written} | {unit} | `{numerator}` / `{denominator}`");
        }
        assert!(page.contains(&written), "{written} is not in docs/API.md");
    }
}

#[tokio::test]
async fn a_side_cannot_go_while_a_ratio_comes() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let mut first = bundle.database().await.unwrap();
    let mut second = bundle.database().await.unwrap();
    let insert =
        "insert into metric_definitions (org_id, key, display_name, unit, aggregation_method, category, metadata)
                  values ($1::uuid, $2, $2, $3, $4, 'own', $5::jsonb)";
    let side = sqlx::query(insert).bind(&acme.org_id).bind("visits").bind("count").bind("sum").bind("{}");
    side.execute(&mut first).await.unwrap();

    let mut transaction = first.begin().await.unwrap();
    let sides = json!({"numerator": "orders", "denominator": "visits"});
    let ratio = sqlx::query(insert).bind(&acme.org_id).bind("rate").bind("ratio").bind("ratio").bind(sides.to_string());
    ratio.execute(&mut *transaction).await.unwrap();
    let delete = sqlx::query("delete from metric_definitions where key = 'visits'").execute(&mut second);
    let commit = async {
        until_waiting(&bundle.database_url, 1).await.unwrap();
        transaction.commit().await.unwrap();
    };
    let (deleted, ()) = tokio::join!(delete, commit);
    let error = deleted.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "23514", "{error}");
}
