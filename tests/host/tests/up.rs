//! `cargo up` as a newcomer meets it: it serves, README's curl lines work as they are printed there, Ctrl-C ends everything,
//! and the second start finds what the first one left.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use tally_host::secrets::Secrets;
use tokio::runtime::Runtime;

const README: &str = include_str!("../../../README.md");
const TALLY: &str = env!("CARGO_BIN_EXE_tally");

/// `tally up`, until it is told to stop.
struct Up {
    process: Child,
    data_dir: PathBuf,
}

impl Up {
    /// Starts it and waits until it says that it serves; it says what goes wrong, or ends.
    fn start(data_dir: &Path) -> Self {
        let mut process = Command::new(TALLY)
            .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
        let told: Vec<String> = lines.by_ref().take_while(|line| !line.contains("serving http")).collect();
        // Read on, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        let up = Self { process, data_dir: data_dir.to_owned() };
        assert!(data_dir.join("dev.json").exists(), "{}", told.join("\n"));
        up
    }

    fn dev(&self, key: &str) -> String {
        let output = Command::new(TALLY).args(["dev", key, "--data-dir"]).arg(&self.data_dir).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Kills the database server, as a crash would.
    fn kill_database(&self) {
        let statement = "select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int";
        let pid: i32 = Runtime::new().unwrap().block_on(async {
            let mut database = PgConnection::connect(&self.dev("database_url")).await.unwrap();
            sqlx::query_scalar(statement).fetch_one(&mut database).await.unwrap()
        });
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }

    /// Ctrl-C.
    fn stop(mut self) {
        let address = self.dev("base_url").replace("http://", "");
        kill_process(Pid::from_child(&self.process), Signal::INT).unwrap();
        assert!(self.process.wait().unwrap().success());
        assert!(TcpStream::connect(address).is_err(), "it still serves");
        let database: url::Url = read_dev_json(&self.data_dir)["database_url"].as_str().unwrap().parse().unwrap();
        let server = (database.host_str().unwrap(), database.port().unwrap());
        assert!(TcpStream::connect(server).is_err(), "its database still runs");
    }
}

fn read_dev_json(data_dir: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(data_dir.join("dev.json")).unwrap()).unwrap()
}

/// Runs README's block with the curl lines against this start; answers what each printed.
fn run_readme(up: &Up) -> Vec<Value> {
    let blocks = README.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let block = blocks.into_iter().find(|block| block.contains("curl -s")).unwrap();
    let here = format!("{TALLY} --data-dir {} dev", up.data_dir.display());
    let script = block.replace("http://127.0.0.1:3000", &up.dev("base_url")).replace("cargo tally dev", &here);
    let output = Command::new("sh").args(["-euc", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::Deserializer::from_slice(&output.stdout).into_iter().map(Result::unwrap).collect()
}

#[test]
fn a_newcomer_gets_what_readme_says() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path());
    let first = read_dev_json(folder.path());
    for key in [
        "base_url",
        "database_url",
        "webhook_secret",
        "jwt_secret",
        "jwt_issuer",
        "jwt_audience",
        "user_id",
        "org_id",
        "workspace_id",
        "store_id",
        "api_key",
        "access_token",
    ] {
        assert!(first[key].as_str().is_some_and(|value| !value.is_empty()), "{key} is missing in dev.json");
    }

    let [metrics, receipt, answer] = run_readme(&up).try_into().unwrap();
    assert!(metrics["metrics"].as_array().unwrap().iter().any(|metric| metric["key"] == "revenue"), "{metrics}");
    assert_eq!((&receipt["accepted"], &receipt["rejected"]), (&1.into(), &0.into()), "{receipt}");
    // The sample's 6,919 purchases, and the event that was just sent.
    assert_eq!((&answer["series"][0]["metric"], &answer["series"][1]["metric"]), (&"revenue".into(), &"orders".into()));
    assert_eq!(answer["series"][1]["total"], "6919", "{answer}");
    up.stop();

    let again = Up::start(folder.path());
    let second = read_dev_json(folder.path());
    for key in ["webhook_secret", "jwt_secret", "user_id", "org_id", "workspace_id", "store_id", "api_key"] {
        assert_eq!(first[key], second[key], "{key} changed");
    }

    // Where the database dies it is started again, and nothing is lost.
    again.kill_database();
    let recovered = (0..120).any(|_| {
        std::thread::sleep(Duration::from_millis(500));
        run_readme(&again)[2]["series"].is_array()
    });
    assert!(recovered, "the database does not come back");
    let [_, receipt, same] = run_readme(&again).try_into().unwrap();
    assert_eq!(receipt["duplicates"], 1, "{receipt}");
    assert_eq!(same["series"], answer["series"]);
    again.stop();
}

#[test]
fn a_secret_that_the_functions_would_refuse_stops_the_start() {
    let bad = [("webhook_secret", "v1,whsec_c2hvcnQ=", "`webhook_secrets`"), ("jwt_secret", "hunter2", "`jwt_secret`")];
    for (name, text, told) in bad {
        for verb in [&["db"][..], &["up", "--listen", "127.0.0.1:0"]] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("secrets.json");
            let mut secrets = serde_json::to_value(Secrets::random().unwrap()).unwrap();
            secrets[name] = text.into();
            std::fs::write(&file, secrets.to_string()).unwrap();
            let mut command = Command::new(TALLY);
            command.args(verb).arg("--data-dir").arg(folder.path());
            let output = command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).output().unwrap();
            let complaint = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success(), "{verb:?} starts with {name}={text}");
            assert!(complaint.contains(told) && complaint.contains("secrets.json"), "{complaint}");
            assert!(!complaint.contains(text) && output.stdout.is_empty(), "{complaint}");
            // Before anything else was started or made.
            let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
            assert_eq!(left, [file]);
        }
    }
}
