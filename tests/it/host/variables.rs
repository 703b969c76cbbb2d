//! Which variables a component sees, and where their values come from.

use std::fs;

use serde_json::json;
use tally_host::spin::Environment;

use super::{one_component, start_error, start_manifest, start_probe, write_manifest};
use crate::answer::ask;
use crate::harness::{Setting, run, start_local};

#[tokio::test]
async fn a_component_sees_its_own_variables_filled_in() {
    let app = start_probe().await;
    assert_eq!(app.json("/probe/variable?whole").await, json!({"value": "hello"}));
    assert_eq!(app.json("/probe/variable?partial").await, json!({"value": "hello, world!"}));
    assert_eq!(app.json("/probe/variable?literal").await, json!({"value": "as it is"}));
    assert_eq!(app.json("/other/variable?other").await, json!({"value": "world"}));
}

#[tokio::test]
async fn other_variables_are_undefined() {
    let app = start_probe().await;
    // One of the application, one of another component.
    for name in ["greeting", "other"] {
        let answer = app.json(&format!("/probe/variable?{name}")).await;
        assert_eq!(answer["error"], "undefined", "{answer}");
    }
}

#[tokio::test]
async fn a_name_that_cannot_be_is_invalid() {
    let app = start_probe().await;
    for name in ["", "Whole", "a-b", "_a", "a_", "a__b", "1a"] {
        let answer = app.json(&format!("/probe/variable?{name}")).await;
        assert_eq!(answer["error"], "invalid-name", "{name}: {answer}");
    }
}

#[tokio::test]
async fn a_given_value_beats_the_default() {
    let manifest = format!(
        "[variables]\na = {{ default = \"default\" }}\nb = {{ required = true }}\n{}",
        one_component("[component.probe.variables]\na = \"{{ a }}\"\nb = \"<{{ b }}>\"")
    );
    let app = start_manifest(&manifest, &[("a", "given"), ("b", "{{ a }}")]).await.unwrap();
    assert_eq!(app.json("/probe/variable?a").await, json!({"value": "given"}));
    // A value is no template.
    assert_eq!(app.json("/probe/variable?b").await, json!({"value": "<{{ a }}>"}));
}

#[tokio::test]
async fn missing_required_variables_are_a_start_up_error_that_names_them() {
    let manifest = format!(
        "[variables]\none = {{ required = true }}\ntwo = {{ required = true, secret = true }}\n{}",
        one_component("")
    );
    let error = start_error(&manifest).await;
    assert!(error.contains("no provider resolved required variable(s)"), "{error}");
    assert!(error.contains("one") && error.contains("two"), "{error}");
}

#[tokio::test]
async fn a_variable_has_a_default_or_is_required() {
    for variable in ["{}", "{ required = false }", "{ required = true, default = \"x\" }"] {
        let error = start_error(&format!("[variables]\na = {variable}\n{}", one_component(""))).await;
        assert!(error.contains("default") && error.contains("required"), "{error}");
    }
}

#[tokio::test]
async fn names_are_checked_at_start_up() {
    for name in ["A", "a__b", "_a", "a_", "a-b", "a_1"] {
        let error = start_error(&format!("[variables]\n{name} = {{ default = \"\" }}\n{}", one_component(""))).await;
        assert!(error.contains(name), "{error}");
    }
}

#[tokio::test]
async fn templates_are_checked_at_start_up() {
    let error = start_error(&one_component("[component.probe.variables]\na = \"{{ nobody }}\"")).await;
    assert!(error.contains("unknown variable \"nobody\""), "{error}");
    let error = start_error(&one_component("[component.probe.variables]\na = \"{{ open\"")).await;
    assert!(error.contains("unmatched '{{'"), "{error}");
}

#[tokio::test]
async fn the_environment_comes_after_what_is_given_and_before_dotenv_and_default() {
    run().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let manifest = write_manifest(
        folder.path(),
        &format!(
            "[variables]\na = {{ required = true }}\nb = {{ default = \"default\" }}\nc = {{ required = true }}\n\
             d = {{ required = true }}\ne = {{ default = \"default\" }}\n{}",
            one_component("[component.probe.variables]\nall = \"{{a}} {{b}} {{c}} {{d}} {{e}}\"")
        ),
    )
    .unwrap();
    let file = folder.path().join(".env");
    fs::write(&file, "SPIN_VARIABLE_C=dotenv\nSPIN_VARIABLE_D=dotenv\nD=x\n").unwrap();
    let surroundings = [("SPIN_VARIABLE_B", "environment"), ("SPIN_VARIABLE_C", "environment")];
    let setting = Setting {
        environment: Environment {
            variables: surroundings.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            file: Some(file),
        },
        ..Setting::new(manifest, ["a", "b"].map(|name| (name.to_owned(), "given".to_owned())).into())
    };
    let app = start_local(setting).await.unwrap();
    let answer = ask(app.client.get(format!("{}/probe/variable?all", app.base_url))).await.ok();
    assert_eq!(answer, json!({"value": "given given environment dotenv default"}));
}
