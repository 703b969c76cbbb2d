//! The forms that `/v1/query` is asked in and answers in: URLs and bodies, one query and several, JSON and CSV, and nothing where the
//! client has the answer.

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::{Answer, ask, post};
use crate::harness::{Bundle, Tenant};

/// Orders of three days of October 2026 by channel, and revenue of one of them.
async fn bundle_with_orders() -> (Bundle, Tenant) {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let event = |metric: &str, value: &str, day: u32, channel: &str| {
        json!({"id": Uuid::new_v4(), "metric": metric, "store_id": acme.store_id, "value": value,
               "recorded_at": format!("2026-10-{day:02}T12:00:00Z"), "dimensions": {"channel": channel}})
    };
    let events = [
        event("orders", "3", 1, "web"),
        event("orders", "1", 2, "web"),
        event("orders", "2", 2, "a \"b\", c"),
        event("orders", "4", 3, "web"),
        event("revenue", "10.50", 3, "web"),
    ];
    let receipt = ask(post(&bundle, "/v1/events", &acme.token, &json!(events))).await.ok();
    assert_eq!(receipt["accepted"], events.len());
    (bundle, acme)
}

fn question() -> Value {
    json!({"metrics": ["orders", "revenue"], "from": "2026-10-01", "to": "2026-10-04", "group_by": ["channel"]})
}

/// The same question in a URL.
const URL: &str = "/v1/query?metrics=orders,revenue&from=2026-10-01&to=2026-10-04&group_by=channel";

fn get(bundle: &Bundle, url: &str, credential: &str) -> RequestBuilder {
    bundle.client.get(bundle.url(url)).bearer_auth(credential)
}

fn tag(answer: &Answer) -> String {
    answer.headers["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_url_asks_what_a_body_asks() {
    let (bundle, acme) = bundle_with_orders().await;
    let posted = ask(post(&bundle, "/v1/query", &acme.token, &question())).await.ok();
    assert_eq!(posted["series"].as_array().unwrap().len(), 4);
    assert_eq!(ask(get(&bundle, URL, &acme.token)).await.ok(), posted);

    let mut more = question();
    more["top"] = json!({"n": 1});
    more["compare"] = json!("previous_period");
    more["filter"] = json!({"dimension": "channel", "eq": "web"});
    let url = format!("{}&top=1&compare=previous_period", bundle.url(URL));
    let url = reqwest::Url::parse_with_params(&url, [("filter", more["filter"].to_string())]).unwrap();
    let asked = ask(bundle.client.get(url).bearer_auth(&acme.token)).await.ok();
    assert_eq!(asked, ask(post(&bundle, "/v1/query", &acme.token, &more)).await.ok());

    for (url, status, code) in [
        ("/v1/query", 422, "invalid-query"),
        ("/v1/query?metric=orders", 400, "invalid-parameter"),
        ("/v1/query?metrics=orders&metrics=revenue", 400, "invalid-parameter"),
        ("/v1/query?metrics=orders&from=2026-10-01&to=2026-10-04&totals=1", 400, "invalid-parameter"),
        ("/v1/query?metrics=orders&from=2026-10-01&to=2026-10-04&top=x", 422, "invalid-query"),
    ] {
        ask(get(&bundle, url, &acme.token)).await.problem(status, code);
    }
    ask(bundle.client.put(bundle.url("/v1/query")).bearer_auth(&acme.token)).await.problem(405, "method-not-allowed");
}

#[tokio::test]
async fn several_queries_are_answered_as_each_by_itself() {
    let (bundle, acme) = bundle_with_orders().await;
    let mut second = question();
    second["granularity"] = json!("none");
    second["group_by"] = json!([]);
    second["timezone"] = json!("America/New_York");
    second["compare"] = json!("previous_year");
    let mut third = question();
    third["top"] = json!({"n": 1, "other": true});
    let questions = [question(), second, third];
    let together = ask(post(&bundle, "/v1/query", &acme.token, &json!({"queries": questions}))).await.ok();
    assert_eq!(together.as_object().unwrap().len(), 1);
    for (question, result) in questions.iter().zip(together["results"].as_array().unwrap()) {
        assert_eq!(*result, ask(post(&bundle, "/v1/query", &acme.token, question)).await.ok());
    }

    // If one cannot be answered, none is.
    for (field, value, code) in [
        ("metrics", json!(["nope"]), "unknown-metric"),
        ("fill", json!("guess"), "invalid-query"),
        ("filter", json!({}), "invalid-query"),
        ("currency", json!("EUR"), "missing-exchange-rate"),
        ("to", json!("2026-09-01"), "invalid-query"),
    ] {
        let mut wrong = question();
        wrong[field] = value;
        let asked = json!({"queries": [question(), wrong]});
        let problem = ask(post(&bundle, "/v1/query", &acme.token, &asked)).await.problem(422, code);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with("queries[1]: "), "{detail}");
    }
}

#[tokio::test]
async fn the_year_before_has_all_days_of_february_but_the_last_of_a_leap_year() {
    let (bundle, acme) = bundle_with_orders().await;
    for (from, to, before) in [
        ("2024-02-28", "2024-02-29", ("2023-02-28", "2023-03-01")),
        ("2024-02-01", "2024-02-29", ("2023-02-01", "2023-03-01")),
        ("2024-02-29", "2024-03-01", ("2023-02-28", "2023-03-01")),
        ("2025-02-01", "2025-03-01", ("2024-02-01", "2024-03-01")),
    ] {
        let asked = json!({"metrics": ["orders"], "from": from, "to": to, "compare": "previous_year"});
        let answer = ask(post(&bundle, "/v1/query", &acme.token, &asked)).await.ok();
        let at = |day: &str| format!("{day}T00:00:00+00:00");
        assert_eq!(answer["meta"]["compared"], json!({"from": at(before.0), "to": at(before.1)}), "{from}");
    }
}

/// 1 October 2023 began at one o'clock in Asunción.
#[tokio::test]
async fn a_month_without_its_first_midnight_is_one() {
    let (bundle, acme) = bundle_with_orders().await;
    for (from, before) in [("2023-10-01", "2023-09-01T00:00:00-04:00"), ("2023-08-01", "2023-05-01T00:00:00-04:00")] {
        let asked = json!({"metrics": ["orders"], "from": from, "to": "2023-11-01", "timezone": "America/Asuncion",
                           "compare": "previous_period"});
        let answer = ask(post(&bundle, "/v1/query", &acme.token, &asked)).await.ok();
        let compared = json!({"from": before, "to": answer["series"][0]["points"][0]["start"]});
        assert_eq!(answer["meta"]["compared"], compared);
    }
}

#[tokio::test]
async fn csv_has_a_row_for_each_point() {
    let (bundle, acme) = bundle_with_orders().await;
    let answer = ask(get(&bundle, URL, &acme.token).header("accept", "text/csv")).await;
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8; header=present");
    assert_eq!(
        answer.text,
        "metric,unit,currency,channel,other,start,value\r\n\
         orders,count,,\"a \"\"b\"\", c\",false,2026-10-01T00:00:00+00:00,0\r\n\
         orders,count,,\"a \"\"b\"\", c\",false,2026-10-02T00:00:00+00:00,2\r\n\
         orders,count,,\"a \"\"b\"\", c\",false,2026-10-03T00:00:00+00:00,0\r\n\
         orders,count,,web,false,2026-10-01T00:00:00+00:00,3\r\n\
         orders,count,,web,false,2026-10-02T00:00:00+00:00,1\r\n\
         orders,count,,web,false,2026-10-03T00:00:00+00:00,4\r\n\
         revenue,currency,,\"a \"\"b\"\", c\",false,2026-10-01T00:00:00+00:00,0\r\n\
         revenue,currency,,\"a \"\"b\"\", c\",false,2026-10-02T00:00:00+00:00,0\r\n\
         revenue,currency,,\"a \"\"b\"\", c\",false,2026-10-03T00:00:00+00:00,0\r\n\
         revenue,currency,USD,web,false,2026-10-01T00:00:00+00:00,0\r\n\
         revenue,currency,USD,web,false,2026-10-02T00:00:00+00:00,0\r\n\
         revenue,currency,USD,web,false,2026-10-03T00:00:00+00:00,10.50\r\n"
    );

    // What is compared stands beside its counterpart, and after all of them where it has none: three days with four.
    let compared = "/v1/query?metrics=orders&from=2026-10-03&to=2026-10-05&compare={\"from\":\"2026-10-01\",\"to\":\"2026-10-04\"}&fill=null";
    let answer = ask(get(&bundle, compared, &acme.token).header("accept", "text/csv")).await;
    assert_eq!(
        answer.text,
        "metric,unit,currency,other,start,value,comparison_start,comparison_value,difference,change\r\n\
         orders,count,,false,2026-10-03T00:00:00+00:00,4,2026-10-01T00:00:00+00:00,3,1,0.333333333333\r\n\
         orders,count,,false,2026-10-04T00:00:00+00:00,,2026-10-02T00:00:00+00:00,3,,\r\n\
         orders,count,,false,,,2026-10-03T00:00:00+00:00,4,,\r\n"
    );

    // The next page is in a header.
    let paged = ask(get(&bundle, &format!("{URL}&limit=1"), &acme.token).header("accept", "text/csv")).await;
    let cursor = paged.headers["next-cursor"].to_str().unwrap();
    let next =
        ask(get(&bundle, &format!("{URL}&limit=1&cursor={cursor}"), &acme.token).header("accept", "text/csv")).await;
    assert!(next.text.contains("orders,count,,web,false,2026-10-01T00:00:00+00:00,3\r\n"), "{}", next.text);
    assert!(!next.headers.contains_key("next-cursor"));

    // A dimension is what was sent, also a number that no double holds.
    let event =
        r#"{"id": "long", "metric": "orders", "store_id": "STORE", "value": "1", "recorded_at": "2026-10-07T12:00:00Z",
                    "dimensions": {"batch": 12345678901234567890123.50, "tested": true}}"#
            .replace("STORE", &acme.store_id);
    let url = bundle.url("/v1/events");
    let sent = bundle.client.post(url).bearer_auth(&acme.token).header("content-type", "application/json").body(event);
    assert_eq!(ask(sent).await.ok()["accepted"], 1);
    let long = "/v1/query?metrics=orders&from=2026-10-07&to=2026-10-08&group_by=batch,tested,note";
    let answer = ask(get(&bundle, long, &acme.token).header("accept", "text/csv")).await;
    assert!(
        answer.text.ends_with("\norders,count,,12345678901234567890123.50,true,,false,2026-10-07T00:00:00+00:00,1\r\n"),
        "{}",
        answer.text
    );

    let several =
        post(&bundle, "/v1/query", &acme.token, &json!({"queries": [question()]})).header("accept", "text/csv");
    ask(several).await.problem(422, "invalid-query");
}

#[tokio::test]
async fn an_answer_that_the_client_has_is_not_sent_again() {
    let (bundle, acme) = bundle_with_orders().await;
    let first = ask(get(&bundle, URL, &acme.token)).await;
    first.ok();
    assert_eq!(first.headers["cache-control"], "private, no-cache");
    assert_eq!(first.headers["vary"], "authorization, accept");
    let known = tag(&first);
    let again = async |known: &str| ask(get(&bundle, URL, &acme.token).header("if-none-match", known)).await;
    let same = again(&known).await;
    assert_eq!((same.status, same.text.as_str(), tag(&same)), (304, "", known.clone()));
    let in_body = post(&bundle, "/v1/query", &acme.token, &question()).header("if-none-match", &known);
    assert_eq!(ask(in_body).await.status, 304);
    let csv = get(&bundle, URL, &acme.token).header("if-none-match", &known).header("accept", "text/csv");
    assert_eq!(ask(csv).await.status, 200);

    // What does not change an answer does not change its tag; what does, does.
    let event = |metric: &str| {
        json!({"id": "late", "metric": metric, "store_id": acme.store_id, "value": "1",
               "recorded_at": "2026-10-02T12:00:00Z", "dimensions": {"channel": "web"}})
    };
    ask(post(&bundle, "/v1/events", &acme.token, &event("sessions"))).await.ok();
    assert_eq!(again(&known).await.status, 304);
    ask(post(&bundle, "/v1/events?on_conflict=replace", &acme.token, &event("orders"))).await.ok();
    let changed = again(&known).await;
    assert_ne!(tag(&changed), known);
    changed.ok();
}

#[tokio::test]
async fn an_answer_is_of_one_state_of_the_data() {
    let (bundle, acme) = bundle_with_orders().await;
    // The same number from rollups, and from events: there is a condition on a dimension that is not declared.
    let from_rollups = json!({"metrics": ["orders"], "from": "2026-10-01", "to": "2026-10-04", "granularity": "none"});
    let mut from_events = from_rollups.clone();
    from_events["filter"] = json!({"not": {"dimension": "never", "exists": true}});
    let both = json!({"queries": [from_rollups, from_events, from_rollups]});

    let sending = async {
        for batch in 0..40 {
            let event = |n: usize| {
                json!({"id": format!("{batch}-{n}"), "metric": "orders", "store_id": acme.store_id, "value": "1",
                       "recorded_at": "2026-10-02T12:00:00Z"})
            };
            let events: Vec<Value> = (0..25).map(event).collect();
            ask(post(&bundle, "/v1/events", &acme.token, &json!(events))).await.ok();
        }
    };
    let asking = async {
        let mut seen = Vec::new();
        while seen.last() != Some(&"1010".to_owned()) {
            let answer = ask(post(&bundle, "/v1/query", &acme.token, &both)).await.ok();
            let value = |n: usize| answer["results"][n]["series"][0]["points"][0]["value"].as_str().unwrap().to_owned();
            assert_eq!((value(1), value(2)), (value(0), value(0)), "after {seen:?}");
            seen.push(value(0));
        }
        seen.dedup();
        assert!(seen.len() > 2, "the numbers hardly changed meanwhile: {seen:?}");
    };
    futures::join!(sending, asking);
}
