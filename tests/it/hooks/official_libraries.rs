//! Webhooks signed by the official libraries, `standardwebhooks` and `svix` of npm and PyPI: what they send is taken, and
//! what they signed is not taken for anything else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;

use anyhow::{Context as _, Result, anyhow, ensure};
use reqwest::RequestBuilder;
use serde_json::json;
use tally_host::identity::{now, with_headers};
use tally_host::packages::install_npm;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::fixtures::text;
use crate::answer::ask;
use crate::harness::{Bundle, repository};
use crate::languages::{Language, install_pypi, read_version};

const PATH: &str = "/hooks/user-created";
const LIBRARIES: [&str; 2] = ["standardwebhooks", "svix"];
const OLD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

impl Language {
    /// The program that signs, with its libraries.
    async fn signer(self) -> Result<Command> {
        let folder = self.libraries().await?;
        let mut command = match self {
            Self::Node => {
                // From here the names of packages are looked up.
                let mut command = Command::new("node");
                command.args(["--input-type=module", "--eval", &fs::read_to_string(manifest().join("sign.mjs"))?]);
                command
            }
            Self::Python => {
                let mut command = Command::new("python3");
                command.arg(manifest().join("sign.py")).env("PYTHONPATH", folder);
                command
            }
        };
        command.current_dir(folder);
        Ok(command)
    }

    /// The folder of its libraries, installed by whoever asks first.
    async fn libraries(self) -> Result<&'static Path> {
        static NODE: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
            let folder = target("signers-npm");
            install_npm(&manifest(), &folder).map_err(|error| format!("{error:#}"))?;
            Ok(folder)
        });
        static PYTHON: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
            let folder = target("signers-pypi");
            install_pypi(&manifest(), &folder).map_err(|error| format!("{error:#}"))?;
            Ok(folder)
        });
        let folder = tokio::task::spawn_blocking(move || match self {
            Self::Node => NODE.as_ref(),
            Self::Python => PYTHON.as_ref(),
        });
        folder.await?.map(PathBuf::as_path).map_err(|error| anyhow!("{error}"))
    }

    /// The signature that one of its libraries makes.
    async fn sign(self, library: &str, secret: &str, id: &str, timestamp: u64, body: &str) -> Result<String> {
        let mut signer = self.signer().await?;
        let mut signer = signer.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let asked = json!({"library": library, "secret": secret, "id": id, "timestamp": timestamp, "body": body});
        signer.stdin.take().context("no stdin")?.write_all(asked.to_string().as_bytes()).await?;
        let output = signer.wait_with_output().await?;
        ensure!(output.status.success(), "{library}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }
}

fn manifest() -> PathBuf {
    repository().join("tests/signers")
}

fn target(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn request(bundle: &Bundle, prefix: &str, id: &str, timestamp: u64, signature: &str) -> RequestBuilder {
    let request = bundle.client.post(bundle.url(PATH)).header("content-type", "application/json");
    let headers = [("id", id), ("timestamp", &timestamp.to_string()), ("signature", signature)];
    with_headers(request, headers.map(|(name, value)| (format!("{prefix}{name}"), value.to_owned())))
}

/// What each library signs is taken under both names, alone and among others, and only with its own body, id and time.
async fn signs(language: Language) {
    if !language.is_here() {
        return;
    }
    let bundle = Bundle::start().await.unwrap();
    let secret = bundle.identity.webhook_secret.strip_prefix("v1,").unwrap();
    let (id, time, body) = ("msg_2Lh9KRb0pzN4LePd3XiA4v12Axj", now(), text("generic_user_created"));
    let (clerk, other) = (text("clerk_user_created"), "msg_other");
    for library in LIBRARIES {
        let good = language.sign(library, secret, id, time, &body).await.unwrap();
        let old = language.sign(library, OLD_SECRET, id, time, &body).await.unwrap();
        for prefix in ["webhook-", "svix-"] {
            // A space is the specification's, a comma and a space are Supabase's.
            for list in [good.clone(), format!("{old} {good}"), format!("{good}, {old}"), format!("{old}, {good}")] {
                ask(request(&bundle, prefix, id, time, &list).body(body.clone())).await.ok();
            }
            for wrong in [
                request(&bundle, prefix, id, time, &old).body(body.clone()),
                request(&bundle, prefix, id, time, &good).body(clerk.clone()),
                request(&bundle, prefix, other, time, &good).body(body.clone()),
                request(&bundle, prefix, id, time - 1, &good).body(body.clone()),
            ] {
                ask(wrong).await.problem(401, "invalid-signature");
            }
            let stale = language.sign(library, secret, id, time - 330, &body).await.unwrap();
            let stale = request(&bundle, prefix, id, time - 330, &stale).body(body.clone());
            ask(stale).await.problem(401, "stale-timestamp");
        }
    }
    assert_eq!(bundle.count("organizations").await, 1);
}

#[tokio::test]
async fn what_the_libraries_of_npm_sign_is_taken() {
    signs(Language::Node).await;
}

#[tokio::test]
async fn what_the_libraries_of_pypi_sign_is_taken() {
    signs(Language::Python).await;
}

#[test]
fn no_pinned_library_needs_a_newer_node() {
    let lock = fs::read_to_string(manifest().join("package-lock.json")).unwrap();
    let lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
    for (name, package) in lock["packages"].as_object().unwrap() {
        let Some(range) = package["engines"]["node"].as_str() else { continue };
        assert!(range.starts_with(">=") && read_version(range) <= Some(Language::Node.program().1), "{name}: {range}");
    }
}
