//! schemathesis makes requests of the document's schemas, good ones and bad ones, and holds every answer against it. Its
//! validator also says whether the document keeps to its own schemas.
//!
//! The hooks are left out, since none of these requests would be signed: `examples.rs` and `fuzz/` have them.

use std::fs;
use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Instant;

use serde_json::Value;
use tokio::process::Command;

use super::examples::Placeholders;
use super::path;
use crate::harness::{Bundle, Tenant, repository};
use crate::languages::{Language, install_pypi};

/// The same requests each time; another one tries others.
const SEED: u32 = 20_261_125;
/// Requests that are drawn at random for an operation, besides those that try each bound of its schemas.
const EXAMPLES: u32 = 100;
/// What every answer is held against. Not whether a bad request is refused: a bad event is an answer of 200.
const CHECKS: [&str; 9] = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "missing_required_header",
    "ignored_auth",
];

/// Its packages, installed by whoever asks first; none where this machine has no Python for it.
async fn packages() -> Option<&'static Path> {
    static PACKAGES: LazyLock<PathBuf> = LazyLock::new(|| {
        let packages = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis-pypi");
        install_pypi(&folder(), &packages).unwrap();
        packages
    });
    if !Language::Python.is_here() {
        return None;
    }
    Some(tokio::task::spawn_blocking(|| PACKAGES.as_path()).await.unwrap())
}

fn folder() -> PathBuf {
    repository().join("tests/schemathesis")
}

/// Asks with a credential, of the operations that these arguments choose; answers what was done.
async fn run(packages: &Path, bundle: &Bundle, tenant: &Tenant, credential: &str, chosen: &[&str]) -> String {
    let scratch = tempfile::tempdir().unwrap();
    // What is made up of the examples goes along with what is drawn, so their ids are to be real.
    let document = Placeholders::of(bundle, tenant).await.fill(&fs::read_to_string(path()).unwrap());
    fs::write(scratch.path().join("openapi.yaml"), document).unwrap();
    let mut schemathesis = Command::new("python3");
    schemathesis
        .args(["-m", "schemathesis.cli", "run", "openapi.yaml"])
        .args(["--url", &bundle.base_url, "--header", &format!("Authorization: Bearer {credential}")])
        .args(["--checks", &CHECKS.join(","), "--exclude-path-regex", "^/hooks/", "--continue-on-failure"])
        .args(["--seed", &SEED.to_string(), "--max-examples", &EXAMPLES.to_string(), "--workers", "1", "--no-color"])
        .args(["--generation-database", "none", "--suppress-health-check", "all"])
        .args(["--report-json-path", "report.json"])
        .args(chosen)
        .env("PYTHONPATH", packages)
        .env("SCHEMATHESIS_HOOKS", folder().join("hooks.py"))
        .env("TALLY_STORE_ID", &tenant.store_id)
        .current_dir(scratch.path())
        .kill_on_drop(true);
    let output = schemathesis.output().await.unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{text}");
    let report = fs::read(scratch.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    let [tested, selected] = ["tested", "selected"].map(|name| report["operations"][name].as_u64().unwrap());
    assert!(tested == selected && tested > 0, "{text}");
    format!("{} requests of {tested} operations", report["test_cases"]["generated"])
}

#[tokio::test]
async fn whatever_the_schemas_can_say_is_answered_as_they_say() {
    let Some(packages) = packages().await else { return };
    let bundle = Bundle::start().await.unwrap();
    let started = Instant::now();
    let acme = bundle.tenant("acme").await.unwrap();
    let of_owner = run(packages, &bundle, &acme, &acme.token, &["--phases", "coverage,fuzzing"]).await;
    let bolt = bundle.tenant("bolt").await.unwrap();
    let key = bolt.api_key(&bundle, &["events:write", "metrics:read"], None).await.unwrap();
    let chosen = ["--phases", "fuzzing", "--include-tag", "events", "--include-tag", "metrics"];
    let of_key = run(packages, &bundle, &bolt, &key, &chosen).await;
    // They came as far as the database.
    for table in ["metric_events", "metric_rollups", "event_changes", "exchange_rates", "api_keys"] {
        let count = bundle.count(table).await;
        assert!(count > 0, "{table}");
    }
    let took = started.elapsed().as_secs();
    // Past the test harness, which shows nothing of tests that pass.
    writeln!(stderr(), "schemathesis, seed {SEED}, {took} s: with a token {of_owner}, with an API key {of_key}")
        .expect("standard error is open");
}

#[tokio::test]
async fn the_examples_keep_to_their_schemas() {
    let Some(packages) = packages().await else { return };
    let mut check = Command::new("python3");
    let output =
        check.arg(folder().join("examples.py")).arg(path()).env("PYTHONPATH", packages).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let checked: usize = text.split(' ').next().unwrap().parse().unwrap();
    assert!(checked > 100, "{text}");
}
