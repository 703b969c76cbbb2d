//! A watched process ends, and its folder goes, when its owner lets go of it, in whatever way.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::process::{Pid, test_kill_process};
use tally_host::process::{Watched, WatchedCommand};

use crate::harness::Bundle;

const LIMIT: Duration = Duration::from_secs(20);

fn sleeper(folder: &std::path::Path) -> WatchedCommand {
    WatchedCommand {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), "echo started; exec sleep 600".into()],
        environment: Vec::new(),
        log: folder.join("log"),
        stop_signal: "TERM",
        remove: Some(folder.to_owned()),
        account: None,
    }
}

async fn wait_for(what: &str, is_so: impl Fn() -> bool) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        ensure!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::test]
async fn letting_go_stops_the_process_and_removes_the_folder() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let watched = Watched::spawn(&sleeper(folder.path()))?;
    wait_for("it does not start", || fs::read_to_string(folder.path().join("log")).is_ok_and(|log| log == "started\n"))
        .await?;
    assert!(!watched.has_ended());
    drop(watched);
    wait_for("the folder stays", || !folder.path().exists()).await
}

#[tokio::test]
async fn an_orderly_stop_can_leave_the_folder() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let watched = Watched::spawn(&sleeper(folder.path()))?;
    watched.stop_and_leave(LIMIT).await?;
    assert!(folder.path().exists());
    Ok(())
}

#[tokio::test]
async fn the_exit_code_is_told_and_the_folder_stays_until_we_let_go() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let command = WatchedCommand { arguments: vec!["-c".into(), "exit 7".into()], ..sleeper(folder.path()) };
    let watched = Watched::spawn(&command)?;
    assert_eq!(tokio::time::timeout(LIMIT, watched.wait_ended()).await?, 7);
    assert!(watched.has_ended());
    assert!(folder.path().exists());
    watched.stop(LIMIT).await?;
    assert!(!folder.path().exists());
    Ok(())
}

#[tokio::test]
async fn a_kill_ends_what_the_process_started_too() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, script) = (folder.path().join("log"), "sleep 600 & echo $!; wait");
    let arguments = vec!["-c".into(), script.into()];
    let watched = Watched::spawn(&WatchedCommand { arguments, ..sleeper(folder.path()) })?;
    let started = || fs::read_to_string(&log).ok()?.trim().parse().ok().and_then(Pid::from_raw);
    wait_for("it does not start", || started().is_some()).await?;
    watched.kill().await?;
    assert!(watched.has_ended() && folder.path().exists());
    // One that nobody has waited for yet is still known.
    let is_zombie = |pid: Pid| {
        fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).is_ok_and(|stat| stat.contains(") Z "))
    };
    wait_for("what it started goes on", || {
        started().is_some_and(|pid| is_zombie(pid) || test_kill_process(pid).is_err())
    })
    .await
}

#[tokio::test]
async fn a_host_of_its_own_ends_with_its_bundle() -> Result<()> {
    let bundle = Bundle::apart().await?;
    let address = bundle.base_url.replace("http://", "");
    assert!(std::net::TcpStream::connect(&address).is_ok());
    drop(bundle);
    wait_for("it still serves", || std::net::TcpStream::connect(&address).is_err()).await
}
