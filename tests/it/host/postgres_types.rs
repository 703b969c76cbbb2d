//! How values cross between a component and Postgres. A component gets what is listed here and bytes for the rest.

use serde_json::{Value, json};

use super::{Probe, start_probe};

/// The type and value of the one column of a one-row query.
async fn read(app: &Probe, expression: &str) -> (String, Value) {
    let results = app.steps(json!([{"query": [format!("select {expression} as x"), []]}])).await;
    let result = &results[0];
    let column = result["columns"][0].as_array().unwrap_or_else(|| panic!("{expression}: {result}"));
    assert_eq!(column[0], "x");
    (column[1].as_str().unwrap().to_owned(), result["rows"][0][0].clone())
}

/// Sends a parameter as the type of the expression and reads it back as text.
async fn send(app: &Probe, expression: &str, parameter: Value) -> Value {
    let statement = format!("select ({expression})::text");
    let results = app.steps(json!([{"query": [statement, [parameter]]}])).await;
    match results[0].get("error") {
        Some(error) => json!({"error": error}),
        None => results[0]["rows"][0][0].clone(),
    }
}

#[tokio::test]
async fn what_is_read_as_its_own_type() {
    let app = start_probe().await;
    for (expression, data_type, value) in [
        ("true", "boolean", json!({"boolean": true})),
        ("'\\x0102'::bytea", "binary", json!({"binary": [1, 2]})),
        ("1.5::float4", "floating32", json!({"floating32": 1.5})),
        ("2.5::float8", "floating64", json!({"floating64": 2.5})),
        ("1::int2", "int16", json!({"int16": 1})),
        ("2::int4", "int32", json!({"int32": 2})),
        ("3::int8", "int64", json!({"int64": 3})),
        ("'a'::text", "str", json!({"str": "a"})),
        ("'b'::varchar(9)", "str", json!({"str": "b"})),
        ("'c'::char(3)", "str", json!({"str": "c  "})),
        (
            "'2026-11-22 07:08:09.123456'::timestamp",
            "datetime",
            json!({"datetime": [2026, 11, 22, 7, 8, 9, 123_456_000]}),
        ),
        ("'2026-11-22'::date", "date", json!({"date": [2026, 11, 22]})),
        ("'07:08:09.5'::time", "time", json!({"time": [7, 8, 9, 500_000_000]})),
        (
            "'6f1f3c1e-2b1f-4e57-9d7a-111111111111'::uuid",
            "uuid",
            json!({"uuid": "6f1f3c1e-2b1f-4e57-9d7a-111111111111"}),
        ),
        ("12.340::numeric", "decimal", json!({"decimal": "12.340"})),
        ("'[1,5)'::int4range", "rangeint32", json!({"range-int32": [[1, "inclusive"], [5, "exclusive"]]})),
        ("'(,5)'::int8range", "rangeint64", json!({"range-int64": [null, [5, "exclusive"]]})),
        (
            "'(1.5,2.5]'::numrange",
            "rangedecimal",
            json!({"range-decimal": [["1.5", "exclusive"], ["2.5", "inclusive"]]}),
        ),
        ("'{1,NULL}'::int4[]", "arrayint32", json!({"array-int32": [1, null]})),
        ("'{1,NULL}'::int8[]", "arrayint64", json!({"array-int64": [1, null]})),
        ("'{1.50,NULL}'::numeric[]", "arraydecimal", json!({"array-decimal": ["1.50", null]})),
        ("'{a,NULL}'::text[]", "arraystr", json!({"array-str": ["a", null]})),
        ("'{a,NULL}'::varchar[]", "arraystr", json!({"array-str": ["a", null]})),
        ("'1 month 2 days 3 seconds'::interval", "interval", json!({"interval": [3_000_000, 2, 1]})),
        ("null::int8", "int64", json!("db-null")),
        ("null::uuid", "uuid", json!("db-null")),
    ] {
        assert_eq!(read(&app, expression).await, (data_type.to_owned(), value), "{expression}");
    }
}

#[tokio::test]
async fn jsonb_is_parsed_and_written_anew() {
    let app = start_probe().await;
    let (data_type, value) = read(&app, "'{\"b\": 1.50, \"a\": [1,  2]}'::jsonb").await;
    assert_eq!(data_type, "jsonb");
    let text = value["jsonb"].as_str().unwrap();
    assert!(!text.contains(' '), "{text}");
    let parsed: Value = serde_json::from_str(text).unwrap();
    assert_eq!(parsed["a"], json!([1, 2]));
}

#[tokio::test]
async fn the_rest_comes_as_raw_bytes() {
    let app = start_probe().await;
    app.steps(json!([{"execute": ["do $$ begin create type mood as enum ('sad', 'fine'); exception when duplicate_object then null; end $$", []]}])).await;
    for (expression, data_type, bytes) in [
        // An enum's bytes are its label.
        ("'fine'::mood", "other(mood)", b"fine".to_vec()),
        ("'{\"a\": 1}'::json", "other(json)", b"{\"a\": 1}".to_vec()),
        ("'n'::name", "other(name)", b"n".to_vec()),
        ("'c'::\"char\"", "other(char)", b"c".to_vec()),
        ("1::oid", "other(oid)", vec![0, 0, 0, 1]),
        (
            "'{t}'::bool[]",
            "other(_bool)",
            vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1],
        ),
        ("'<a/>'::xml", "other(xml)", b"<a/>".to_vec()),
    ] {
        let read = read(&app, expression).await;
        assert_eq!(read, (data_type.to_owned(), json!({"unsupported": bytes})), "{expression}");
    }
    for (expression, data_type) in [
        ("'{6f1f3c1e-2b1f-4e57-9d7a-111111111111}'::uuid[]", "other(_uuid)"),
        ("'127.0.0.1'::inet", "other(inet)"),
        ("'07:00+01'::timetz", "other(timetz)"),
        ("'{2026-11-22}'::timestamp[]", "other(_timestamp)"),
        ("1::money", "other(money)"),
        ("row(1, 2)", "other(record)"),
    ] {
        assert_eq!(read(&app, expression).await.0, data_type, "{expression}");
    }
}

#[tokio::test]
async fn timestamptz_cannot_be_read() {
    let app = start_probe().await;
    for expression in ["now()", "null::timestamptz"] {
        let results = app.steps(json!([{"query": [format!("select {expression} as x"), []]}])).await;
        assert_eq!(results[0]["columns"], json!([["x", "datetime"]]));
        assert_eq!(results[0]["rows"], json!([]));
        let error = results[0]["late_error"]["query-failed"].as_str().unwrap();
        assert!(error.contains("error deserializing column 0"), "{error}");
    }
    // The ways around it.
    let (data_type, _) = read(&app, "now() at time zone 'UTC'").await;
    assert_eq!(data_type, "datetime");
    let (data_type, _) = read(&app, "extract(epoch from now())::float8").await;
    assert_eq!(data_type, "floating64");
}

#[tokio::test]
async fn a_numeric_beyond_96_bits_or_nan_cannot_be_read() {
    let app = start_probe().await;
    for expression in ["'NaN'::numeric", "1234567890123456789012345678901234::numeric"] {
        let results = app.steps(json!([{"query": [format!("select {expression} as x"), []]}])).await;
        assert!(results[0]["late_error"]["query-failed"].is_string(), "{expression}: {}", results[0]);
    }
    // With zeros at its end it is worse: reading it traps.
    let script = json!({"address": app.database.as_str(), "steps": [{"query": ["select 1e40::numeric", []]}]});
    assert_eq!(app.post("/probe/postgres", script.to_string()).await.status, 500);
}

#[tokio::test]
async fn a_domain_is_read_as_what_it_is_based_on() {
    let app = start_probe().await;
    app.steps(json!([{"execute": ["do $$ begin create domain short as text; exception when duplicate_object then null; end $$", []]}])).await;
    assert_eq!(read(&app, "'a'::short").await, ("str".to_owned(), json!({"str": "a"})));
}

#[tokio::test]
async fn what_is_sent_as_its_own_type() {
    let app = start_probe().await;
    for (expression, parameter, text) in [
        ("$1::bool", json!({"boolean": true}), "true"),
        ("$1::\"char\"", json!({"int8": 65}), "A"),
        ("$1::int2", json!({"int16": 2}), "2"),
        ("$1::int4", json!({"int32": 3}), "3"),
        ("$1::int8", json!({"int64": 4}), "4"),
        ("$1::float4", json!({"floating32": 1.5}), "1.5"),
        ("$1::float8", json!({"floating64": 2.5}), "2.5"),
        ("$1::text", json!({"str": "a"}), "a"),
        ("$1::varchar", json!({"str": "b"}), "b"),
        ("$1::name", json!({"str": "c"}), "c"),
        ("$1::bytea", json!({"binary": [1, 255]}), "\\x01ff"),
        ("$1::date", json!({"date": [2026, 11, 22]}), "2026-11-22"),
        ("$1::time", json!({"time": [1, 2, 3, 4000]}), "01:02:03.000004"),
        ("$1::timestamp", json!({"datetime": [2026, 11, 22, 1, 2, 3, 4000]}), "2026-11-22 01:02:03.000004"),
        ("$1::timestamptz at time zone 'UTC'", json!({"timestamp": 86_400}), "1970-01-02 00:00:00"),
        ("$1::uuid", json!({"uuid": "6F1F3C1E-2B1F-4E57-9D7A-111111111111"}), "6f1f3c1e-2b1f-4e57-9d7a-111111111111"),
        ("$1::jsonb", json!({"jsonb": "{\"a\":1}"}), "{\"a\": 1}"),
        ("$1::json", json!({"jsonb": "{\"a\":1}"}), "{\"a\":1}"),
        ("$1::numeric", json!({"decimal": "1.50"}), "1.50"),
        ("$1::int4range", json!({"range-int32": [[1, "inclusive"], [5, "exclusive"]]}), "[1,5)"),
        ("$1::int8range", json!({"range-int64": [[1, "exclusive"], null]}), "[2,)"),
        ("$1::numrange", json!({"range-decimal": [["1.5", "exclusive"], ["2.5", "inclusive"]]}), "(1.5,2.5]"),
        ("$1::int4[]", json!({"array-int32": [1, null]}), "{1,NULL}"),
        ("$1::int8[]", json!({"array-int64": [1, null]}), "{1,NULL}"),
        ("$1::numeric[]", json!({"array-decimal": ["1.5", null]}), "{1.5,NULL}"),
        ("$1::text[]", json!({"array-str": ["a", null]}), "{a,NULL}"),
        ("$1::interval", json!({"interval": [3_000_000, 2, 1]}), "1 mon 2 days 00:00:03"),
    ] {
        assert_eq!(send(&app, expression, parameter.clone()).await, json!({"str": text}), "{expression} {parameter}");
    }
}

#[tokio::test]
async fn null_fits_every_type() {
    let app = start_probe().await;
    for expression in ["$1::int8", "$1::uuid", "$1::timestamptz", "$1::text[]", "$1::inet"] {
        assert_eq!(send(&app, expression, json!("db-null")).await, json!("db-null"), "{expression}");
    }
}

#[tokio::test]
async fn a_parameter_of_another_type_is_not_widened() {
    let app = start_probe().await;
    for (expression, parameter) in [
        ("$1::int8", json!({"int32": 1})),
        ("$1::int4", json!({"int64": 1})),
        ("$1::float8", json!({"floating32": 1.0})),
        ("$1::numeric", json!({"int32": 1})),
        ("$1::numeric", json!({"str": "1"})),
        ("$1::uuid", json!({"str": "6f1f3c1e-2b1f-4e57-9d7a-111111111111"})),
        ("$1::jsonb", json!({"str": "{}"})),
        ("$1::timestamptz", json!({"str": "2026-11-22"})),
        ("$1::timestamptz", json!({"datetime": [2026, 11, 22, 1, 2, 3, 0]})),
        ("$1::timestamp", json!({"timestamp": 0})),
        ("$1::uuid[]", json!({"array-str": []})),
    ] {
        let answer = send(&app, expression, parameter.clone()).await;
        let error = answer["error"]["query-failed"].as_str().unwrap_or_else(|| panic!("{expression}: {answer}"));
        assert!(error.contains("WrongType"), "{error}");
    }
    // The way around it.
    assert_eq!(send(&app, "$1::text::int8", json!({"str": "1"})).await, json!({"str": "1"}));
}
