//! What of a manifest is served, and that the rest is refused by name.

use std::fs;

use tally_host::spin::manifest::{Manifest, Target};

use super::{PROBE_MANIFEST, one_component, skipped_on_spin, start_error, write_manifest};
use crate::harness::{on_spin, repository};

#[test]
fn a_manifest_is_read() {
    let path = repository().join(PROBE_MANIFEST);
    let folder = path.parent().unwrap();
    let manifest = Manifest::load(&path).unwrap();
    assert_eq!(manifest.name(), "probe");
    assert_eq!(manifest.version(), Some("1.2.3"));
    assert_eq!(manifest.variables()["greeting"].as_deref(), Some("hello"));
    assert_eq!(manifest.variables()["database_host"], None);
    let ids: Vec<_> = manifest.components().iter().map(|component| component.id.as_str()).collect();
    assert_eq!(ids, ["other", "probe"]);
    let probe = &manifest.components()[1];
    assert_eq!(probe.source, folder.join("../../../target/wasm32-wasip2/release/tally_probe.wasm"));
    let build = probe.build.as_ref().unwrap();
    assert_eq!(build.commands, ["cargo build --target wasm32-wasip2 --release -p tally-probe"]);
    assert_eq!(build.workdir, folder.join("../../.."));
    assert_eq!(build.watch.len(), 2);
    assert!(manifest.components()[0].build.is_none());
    let private = manifest.triggers().iter().find(|trigger| trigger.route.is_none()).unwrap();
    assert!(matches!(&private.target, Target::Component(id) if id == "other"));
}

#[test]
fn the_bundles_own_manifest_is_served_in_full() {
    let path = repository().join("spin.toml");
    let manifest = Manifest::load(&path).unwrap();
    let written = fs::read_to_string(path).unwrap();
    assert_eq!(manifest.triggers().len(), written.matches("[[trigger.http]]").count());
    assert!(manifest.components().iter().all(|component| component.build.is_some()));
}

#[test]
fn several_build_commands_are_kept_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "[component.probe.build]\ncommand = [\"one\", \"two\"]\nworkdir = \"sub\"";
    let manifest = Manifest::load(&write_manifest(folder.path(), &one_component(lines)).unwrap()).unwrap();
    let build = manifest.components()[0].build.as_ref().unwrap();
    assert_eq!(build.commands, ["one", "two"]);
    assert_eq!(build.workdir, folder.path().join("sub"));
}

#[tokio::test]
async fn what_is_not_served_is_refused_by_name() {
    if skipped_on_spin("it serves more than the local host does") {
        return;
    }
    for (lines, key) in [
        ("files = [\"a\"]", "component.probe.files"),
        ("exclude_files = [\"a\"]", "component.probe.exclude_files"),
        ("allowed_http_hosts = [\"a\"]", "component.probe.allowed_http_hosts"),
        ("key_value_stores = [\"default\"]", "component.probe.key_value_stores"),
        ("sqlite_databases = [\"default\"]", "component.probe.sqlite_databases"),
        ("ai_models = [\"a\"]", "component.probe.ai_models"),
        ("targets = [\"a\"]", "component.probe.targets"),
        ("dependencies_inherit_configuration = true", "component.probe.dependencies_inherit_configuration"),
        ("[component.probe.dependencies]\n\"a:b\" = \"1\"", "component.probe.dependencies"),
        ("[component.probe.profile.debug]\nsource = \"a\"", "component.probe.profile"),
        ("allowed_outbound_hosts = [\"http://other.spin.internal\"]", "other.spin.internal"),
        ("[[trigger.redis]]\nchannel = \"a\"\ncomponent = \"probe\"", "trigger.redis"),
        ("[application.trigger.redis]\naddress = \"a\"", "application.trigger.redis"),
        ("[application.trigger.http]\nbase = \"/base\"", "application.trigger.http.base"),
        ("[[trigger.http]]\nroute = \"/a\"\ncomponent = \"probe\"\nexecutor = { type = \"wagi\" }", "executor"),
        ("[[trigger.http]]\nroute = \"/a\"\ncomponent = { source = \"a\" }", "inline"),
        (
            "[[trigger.http]]\nroute = \"/a\"\ncomponent = \"probe\"\n[trigger.http.dependencies]\nmiddleware = []",
            "dependencies",
        ),
    ] {
        let error = start_error(&one_component(lines)).await;
        assert!(error.contains(key), "{lines}: {error}");
    }
}

#[tokio::test]
async fn what_nobody_knows_is_refused_by_name() {
    for lines in [
        "unheard_of = 1",
        "[unheard_of]",
        "[component.probe.build]\ncommand = \"a\"\nunheard_of = 1",
        "[variables]\na = { default = \"\", unheard_of = 1 }",
        "[[trigger.http]]\nroute = \"/a\"\ncomponent = \"probe\"\nunheard_of = 1",
    ] {
        let error = start_error(&one_component(lines)).await;
        assert!(error.contains("unheard_of"), "{lines}: {error}");
    }
}

#[tokio::test]
async fn a_trigger_must_lead_somewhere() {
    for (trigger, reason) in [
        ("route = \"/a\"", "either component or static_response"),
        ("route = \"/a\"\ncomponent = \"probe\"\nstatic_response = {}", "either component or static_response"),
        ("route = \"/a\"\ncomponent = \"nobody\"", "nobody"),
        ("component = \"probe\"", "route"),
        ("route = { private = false }\ncomponent = \"probe\"", "private"),
    ] {
        let error = start_error(&one_component(&format!("[[trigger.http]]\n{trigger}"))).await;
        assert!(error.contains(reason), "{trigger}: {error}");
    }
}

#[tokio::test]
async fn names_have_their_spelling() {
    for id in ["Probe", "under_score", "-a", "a--b", "1a"] {
        let component = format!("[component.{id}]\nsource = SOURCE");
        let error = start_error(&one_component(&component)).await;
        // An upper-case word is allowed, a mixed one is not.
        assert!(error.contains(id), "{id}: {error}");
    }
    let error = start_error(&one_component("[component.probe.variables]\nUpper = \"a\"")).await;
    assert!(error.contains("Upper"), "{error}");
}

#[tokio::test]
async fn only_version_2_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spin.toml");
    fs::write(&path, "spin_manifest_version = 1\n[application]\nname = \"a\"\n").unwrap();
    let error = format!("{:#}", Manifest::load(&path).unwrap_err());
    assert!(error.contains("spin_manifest_version"), "{error}");
}

#[tokio::test]
async fn a_component_that_is_not_there_is_a_start_up_error() {
    let trigger = "[[trigger.http]]\nroute = \"/\"\ncomponent = \"gone\"\n[component.gone]\nsource = \"gone.wasm\"";
    let error = start_error(trigger).await;
    assert!(error.contains("gone.wasm"), "{error}");
}

#[tokio::test]
async fn a_component_that_is_none_or_has_no_handler_is_a_start_up_error() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, reason) in [
        ("none.wasm", b"not wasm", "none.wasm"),
        // The preamble of a component, and nothing in it.
        ("empty.wasm", b"\0asm\x0d\0\x01\0", "does not export wasi:http/handler"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let trigger = "[[trigger.http]]\nroute = \"/odd\"\ncomponent = \"odd\"";
        let odd = format!("{trigger}\n[component.odd]\nsource = \"{}\"", path.display());
        let error = start_error(&one_component(&odd)).await;
        assert!(on_spin() || error.contains(reason), "{error}");
    }
}
