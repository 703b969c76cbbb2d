//! `/v1/exchange-rates`: an organization's own rates, and those for all.

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tokio::process::Command;

use super::pages::{list, pages};
use crate::answer::{Answer, ask, post};
use crate::harness::{Bundle, Tenant, repository, run};

const RATES: &str = "/v1/exchange-rates";

async fn put(bundle: &Bundle, credential: &str, body: &Value) -> Answer {
    ask(bundle.client.put(bundle.url(RATES)).bearer_auth(credential).json(body)).await
}

async fn delete(bundle: &Bundle, credential: &str, query: &str) -> Answer {
    ask(bundle.client.delete(bundle.url(&format!("{RATES}{query}"))).bearer_auth(credential)).await
}

/// Day, currency, rate and whose it is, of all that count.
async fn counting(bundle: &Bundle, credential: &str, parameters: &[(&str, &str)]) -> Vec<String> {
    let (rates, _) = pages(bundle, credential, RATES, parameters, 200).await;
    rates.iter().map(line).collect()
}

fn line(rate: &Value) -> String {
    let [day, currency, value] = ["day", "currency", "rate"].map(|name| rate[name].as_str().unwrap());
    format!("{day} {currency} {value} {}", if rate["own"].as_bool().unwrap() { "own" } else { "all" })
}

/// Two currencies over a weekend.
fn weekend() -> Value {
    json!({"rates": [{"day": "2026-10-02", "through": "2026-10-04", "rates": {"USD": "1.17120", "GBP": 0.8713}}]})
}

fn of_a_day(currency: &str, rate: &str) -> Value {
    json!({"rates": [{"day": "2026-10-02", "rates": {currency: rate}}]})
}

/// The catalogue for all, as whoever runs the service loads it.
async fn load_catalogue(bundle: &Bundle) {
    let load = "insert into public.exchange_rates (currency, day, rate) values
        ('CHF', '2026-10-02', 0.93), ('USD', '2026-10-01', 1.17), ('USD', '2026-10-02', 1.18), ('DEM', '1998-12-30', 1.95583)";
    bundle.execute(load).await;
}

/// Gives the tenant's user a role; an organization keeps another owner.
async fn set_role(bundle: &Bundle, tenant: &Tenant, role: &str) {
    let (org_id, user_id) = (&tenant.org_id, tenant.user.id);
    let update = format!(
        "insert into org_members (org_id, user_id, role) values ('{org_id}', gen_random_uuid(), 'owner');
         update org_members set role = '{role}' where user_id = '{user_id}'"
    );
    bundle.execute(AssertSqlSafe(update)).await;
}

#[tokio::test]
async fn an_organizations_own_rates_count_before_those_for_all() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    load_catalogue(&bundle).await;
    let stored = put(&bundle, &acme.token, &weekend()).await.ok();
    assert_eq!(stored, json!({"stored": 6, "from": "2026-10-02", "to": "2026-10-04"}));

    let october = [("from", "2026-10-01"), ("to", "2026-11-01")];
    let of_acme = [
        "2026-10-01 USD 1.17 all",
        "2026-10-02 CHF 0.93 all",
        "2026-10-02 GBP 0.8713 own",
        "2026-10-02 USD 1.17120 own",
        "2026-10-03 GBP 0.8713 own",
        "2026-10-03 USD 1.17120 own",
        "2026-10-04 GBP 0.8713 own",
        "2026-10-04 USD 1.17120 own",
    ];
    assert_eq!(counting(&bundle, &acme.token, &october).await, of_acme);
    let of_bolt = ["2026-10-01 USD 1.17 all", "2026-10-02 CHF 0.93 all", "2026-10-02 USD 1.18 all"];
    assert_eq!(counting(&bundle, &bolt.token, &october).await, of_bolt, "nothing of acme's");

    let usd = [("currencies", "USD,JPY"), ("from", "2026-10-02"), ("to", "2026-10-04")];
    let narrowed = ["2026-10-02 USD 1.17120 own", "2026-10-03 USD 1.17120 own"];
    assert_eq!(counting(&bundle, &acme.token, &usd).await, narrowed);
    assert_eq!(counting(&bundle, &acme.token, &[("to", "1999-01-01")]).await, ["1998-12-30 DEM 1.95583 all"]);
    assert_eq!(counting(&bundle, &acme.token, &[]).await.len(), 9);
}

#[tokio::test]
async fn what_is_loaded_replaces_and_the_same_again_changes_nothing() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let stored = put(&bundle, &acme.token, &weekend()).await.ok();
    bundle.execute("update exchange_rates set loaded_at = '2026-01-01Z'").await;
    assert_eq!(put(&bundle, &acme.token, &weekend()).await.ok(), stored);
    assert_eq!(loaded_since(&bundle).await, 0);

    assert_eq!(put(&bundle, &acme.token, &of_a_day("USD", "1.1712")).await.ok()["stored"], 1);
    assert_eq!(loaded_since(&bundle).await, 1);
    let usd = counting(&bundle, &acme.token, &[("currencies", "USD")]).await;
    assert_eq!(usd, ["2026-10-02 USD 1.1712 own", "2026-10-03 USD 1.17120 own", "2026-10-04 USD 1.17120 own"]);

    // All or nothing.
    let mut half = weekend();
    half["rates"][0]["rates"] = json!({"USD": "5", "CHF": "-1"});
    put(&bundle, &acme.token, &half).await.problem(422, "invalid-field");
    assert_eq!(counting(&bundle, &acme.token, &[("currencies", "USD")]).await, usd);
}

async fn loaded_since(bundle: &Bundle) -> i64 {
    let query = "select count(*) from exchange_rates where loaded_at <> '2026-01-01Z'";
    sqlx::query_scalar(query).fetch_one(&mut bundle.database().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn removing_reaches_own_rates_of_the_days_that_are_named() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    load_catalogue(&bundle).await;
    for tenant in [&acme, &bolt] {
        put(&bundle, &tenant.token, &weekend()).await.ok();
    }
    let of_bolt = counting(&bundle, &bolt.token, &[]).await;

    let removed = async |query| delete(&bundle, &acme.token, query).await.ok();
    assert_eq!(removed("?from=2026-10-02&to=2026-10-03&currencies=USD").await, json!({"deleted": 1}));
    let left = counting(&bundle, &acme.token, &[("from", "2026-10-02"), ("to", "2026-10-03")]).await;
    assert_eq!(left, ["2026-10-02 CHF 0.93 all", "2026-10-02 GBP 0.8713 own", "2026-10-02 USD 1.18 all"]);
    assert_eq!(removed("?from=2026-10-04&to=2026-10-05").await["deleted"], 2);
    assert_eq!(removed("?from=1970-01-01&to=9998-12-31").await["deleted"], 3);
    assert_eq!(removed("?from=1970-01-01&to=9998-12-31").await["deleted"], 0);
    assert_eq!(counting(&bundle, &acme.token, &[]).await.len(), 4, "those for all stay");

    for query in ["", "?from=2026-10-01", "?currencies=USD", "?from=2026-10-01&to=2026-11-01&limit=5", "?from=x&to=y"] {
        delete(&bundle, &bolt.token, query).await.problem(400, "invalid-parameter");
    }
    assert_eq!(counting(&bundle, &bolt.token, &[]).await, of_bolt);
}

#[tokio::test]
async fn managers_write_and_every_member_reads() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    put(&bundle, &acme.token, &weekend()).await.ok();
    for (role, writes) in [("admin", true), ("member", false), ("viewer", false)] {
        set_role(&bundle, &acme, role).await;
        assert_eq!(counting(&bundle, &acme.token, &[]).await.len(), 6, "{role}");
        let none = "?from=2030-01-01&to=2030-01-02";
        for answer in [put(&bundle, &acme.token, &weekend()).await, delete(&bundle, &acme.token, none).await] {
            if writes {
                answer.ok();
            } else {
                answer.problem(403, "forbidden");
            }
        }
    }
}

#[tokio::test]
async fn a_key_reads_and_never_writes() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    put(&bundle, &acme.token, &weekend()).await.ok();
    let of_all = acme.api_key(&bundle, &["events:write", "metrics:read"], None).await.unwrap();
    let of_a_store = acme.api_key(&bundle, &["metrics:read"], Some(&acme.store_id)).await.unwrap();
    for key in [&of_all, &of_a_store] {
        assert_eq!(counting(&bundle, key, &[]).await.len(), 6);
        put(&bundle, key, &weekend()).await.problem(403, "forbidden");
        delete(&bundle, key, "?from=2026-10-01&to=2026-11-01").await.problem(403, "forbidden");
    }
    let writer = acme.api_key(&bundle, &["events:write"], None).await.unwrap();
    list(&bundle, &writer, RATES, &[]).await.problem(403, "forbidden");
    assert_eq!(bundle.count("exchange_rates").await, 6);
}

#[tokio::test]
async fn a_list_is_turned_page_by_page_over_both_kinds() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    // On every second day one for all, on every third an own one.
    let insert = format!(
        "insert into exchange_rates (org_id, currency, day, rate)
         select case when kind = 3 then '{}'::uuid end, currency, date '2026-10-01' + n, kind
         from generate_series(0, 60) as n, unnest('{{USD,GBP,CHF}}'::text[]) as currency, (values (2), (3)) as k(kind)
         where n % kind = 0",
        acme.org_id
    );
    bundle.execute(AssertSqlSafe(insert)).await;
    let query =
        "select to_char(day, 'YYYY-MM-DD ') || currency || case max(rate) when 3 then ' 3 own' else ' 2 all' end
                 from exchange_rates group by day, currency order by day, currency";
    let expected: Vec<String> =
        sqlx::query_scalar(query).fetch_all(&mut bundle.database().await.unwrap()).await.unwrap();
    for limit in [1, 7, expected.len()] {
        let (rates, last) = pages(&bundle, &acme.token, RATES, &[], limit).await;
        assert_eq!(rates.iter().map(line).collect::<Vec<_>>(), expected, "{limit}");
        assert_eq!(last["next_cursor"], Value::Null, "{limit}");
    }
    let page = list(&bundle, &acme.token, RATES, &[("limit", "2")]).await.ok();
    assert_eq!(page["next_cursor"], "2026-10-01.GBP");
    assert_eq!(page["rates"][0], json!({"day": "2026-10-01", "currency": "CHF", "rate": "3", "own": true}));
    for (name, value) in [
        ("cursor", "x"),
        ("cursor", "1764061200123456.22222222-2222-4222-8222-222222222222"),
        ("limit", "201"),
        ("from", "2026-10-01T00:00:00Z"),
        ("currencies", "usd"),
        ("currency", "USD"),
    ] {
        list(&bundle, &acme.token, RATES, &[(name, value)]).await.problem(400, "invalid-parameter");
    }
}

#[tokio::test]
async fn bounds_are_exact() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let entries = |days: usize| -> Value {
        let day = |number: usize| format!("{}-{:02}-{:02}", 2000 + number / 336, number / 28 % 12 + 1, number % 28 + 1);
        let rates = json!({"USD": "1000000000", "GBP": "0.000000000000000001"});
        json!({"rates": (0..days).map(|number| json!({"day": day(number), "rates": rates})).collect::<Vec<_>>()})
    };
    put(&bundle, &acme.token, &entries(5_001)).await.problem(413, "too-many-rates");
    assert_eq!(bundle.count("exchange_rates").await, 0);
    for _ in 0..2 {
        assert_eq!(put(&bundle, &acme.token, &entries(5_000)).await.ok()["stored"], 10_000);
    }
    put(&bundle, &acme.token, &of_a_day("CHF", "1")).await.ok();

    let everything = "?from=1970-01-01&to=9998-12-31";
    let problem = delete(&bundle, &acme.token, everything).await.problem(413, "too-many-rates");
    assert!(problem["detail"].as_str().unwrap().contains("10000"), "{problem}");
    assert_eq!(bundle.count("exchange_rates").await, 10_001, "none is removed");
    let fewer = format!("{everything}&currencies=USD,GBP");
    assert_eq!(delete(&bundle, &acme.token, &fewer).await.ok()["deleted"], 10_000);

    let mut large = of_a_day("USD", "1");
    large["rates"][0]["through"] = json!("x".repeat(1024 * 1024));
    put(&bundle, &acme.token, &large).await.problem(413, "body-too-large");
}

#[tokio::test]
async fn what_cannot_be_taken_is_told() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let twice = json!({"rates": [
        {"day": "2026-10-02", "through": "2026-10-04", "rates": {"USD": "1"}}, {"day": "2026-10-04", "rates": {"USD": "1"}}
    ]});
    let problem = put(&bundle, &acme.token, &twice).await.problem(422, "invalid-field");
    assert!(problem["detail"].as_str().unwrap().contains("USD on 2026-10-04"), "{problem}");
    let too_long = json!({"rates": [{"day": "2026-10-02", "through": "2026-10-13", "rates": {"USD": "1"}}]});
    for (body, status, code) in [
        (of_a_day("EUR", "1"), 422, "invalid-field"),
        (of_a_day("DEM", "1.95583"), 422, "invalid-field"),
        (of_a_day("USD", "0"), 422, "invalid-field"),
        (of_a_day("USD", "1000000000.000000000000000001"), 422, "invalid-field"),
        (json!({"rates": []}), 422, "invalid-field"),
        (too_long, 422, "invalid-field"),
        (json!({"rates": {"2026-10-02": {"USD": "1"}}}), 400, "malformed-body"),
        (json!({"USD": "1"}), 400, "malformed-body"),
    ] {
        put(&bundle, &acme.token, &body).await.problem(status, code);
    }
    let send = |method: Method, path: &str| bundle.client.request(method, bundle.url(path)).bearer_auth(&acme.token);
    ask(send(Method::PUT, RATES).body("{}")).await.problem(415, "unsupported-media-type");
    let misspelt = send(Method::PUT, &format!("{RATES}?dry_run=true")).json(&weekend());
    ask(misspelt).await.problem(400, "invalid-parameter");
    let answer = ask(post(&bundle, RATES, &acme.token, &weekend())).await;
    answer.problem(405, "method-not-allowed");
    assert_eq!(answer.headers["allow"], "GET, PUT, DELETE");
    ask(bundle.client.get(bundle.url(RATES))).await.problem(401, "missing-credential");
    assert_eq!(bundle.count("exchange_rates").await, 0);
}

/// What the European Central Bank publishes, in its form: currencies come and go, newest first.
const PUBLISHED: &str = "\
Date,USD,JPY,BGN,RUB,
2026-10-19,1.18,171.00,N/A,N/A,
2026-10-06,1.1750,170.50,N/A,N/A,
2026-10-05,1.1730,170.25,N/A,N/A,
2026-10-02,1.1712,170.00,1.9558,N/A,
";

/// What the documentation tells operators, run as it stands there.
#[tokio::test]
async fn the_documented_loader_fills_the_catalogue_and_changes_nothing_the_second_time() {
    let page = fs::read_to_string(repository().join("docs/OPERATIONS.md")).unwrap();
    let (_, section) = page.split_once("## Exchange rates").unwrap();
    let (_, rest) = section.split_once("```sql\n").unwrap();
    let (loader, _) = rest.split_once("```").unwrap();

    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    put(&bundle, &acme.token, &of_a_day("USD", "1.2")).await.ok();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("eurofxref-hist.csv"), PUBLISHED).unwrap();
    fs::write(folder.path().join("load.sql"), loader).unwrap();
    let load = async || {
        let output = Command::new(run().await.unwrap().cluster.binaries().program("psql"))
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &bundle.database_url, "-f", "load.sql"])
            .env("PGOPTIONS", "-c role=service_role")
            .current_dir(folder.path())
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    load().await;
    // The 6th counts for ten more days, to the 16th; then none does until the 19th.
    let mut expected: Vec<String> = [
        "2026-10-02 BGN 1.9558 all",
        "2026-10-02 USD 1.2 own",
        "2026-10-03 USD 1.1712 all",
        "2026-10-04 USD 1.1712 all",
    ]
    .map(str::to_owned)
    .into();
    expected.push("2026-10-05 USD 1.1730 all".to_owned());
    expected.extend((6..=16).map(|day| format!("2026-10-{day:02} USD 1.1750 all")));
    expected.push("2026-10-19 USD 1.18 all".to_owned());
    assert_eq!(counting(&bundle, &acme.token, &[("currencies", "USD,BGN,RUB")]).await, expected);

    bundle.execute("update exchange_rates set loaded_at = '2026-01-01Z'").await;
    load().await;
    assert_eq!(loaded_since(&bundle).await, 0);
}
