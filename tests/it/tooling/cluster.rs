//! A kept cluster comes back from whatever happened to it, and a throw-away one leaves nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sqlx::{Connection as _, PgConnection};
use tally_host::database::{Cluster, ClusterOptions};
use tempfile::TempDir;

/// The folder of the cluster of a data directory.
fn folder(data_dir: &Path) -> PathBuf {
    match fs::read_to_string(data_dir.join("postgres.elsewhere")) {
        Ok(elsewhere) => elsewhere.into(),
        Err(_) => data_dir.join("postgres"),
    }
}

fn postmaster(data_dir: &Path) -> Result<i32> {
    let text = fs::read_to_string(folder(data_dir).join("data/postmaster.pid"))?;
    Ok(text.lines().next().context("an empty pid file")?.parse()?)
}

fn kill(pid: i32) -> Result<()> {
    Ok(kill_process(Pid::from_raw(pid).context("no pid")?, Signal::KILL)?)
}

async fn wait_until_gone(pid: i32) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    // Our own child stays a zombie until it is waited for.
    let is_zombie = || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    while !is_zombie() && Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok()) {
        ensure!(Instant::now() < deadline, "process {pid} does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn start(data_dir: &Path) -> Result<Cluster> {
    Cluster::start(ClusterOptions::Kept(data_dir.to_owned())).await
}

async fn query(cluster: &Cluster, statement: &'static str) -> Result<String> {
    let mut connection = PgConnection::connect(&cluster.database_url("kept")).await?;
    let value = sqlx::query_scalar(statement).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(value)
}

/// A kept cluster with something in it.
async fn kept() -> Result<(TempDir, Cluster)> {
    let data_dir = tempfile::tempdir()?;
    let cluster = start(data_dir.path()).await?;
    cluster.create_database("kept").await?;
    let mut connection = PgConnection::connect(&cluster.database_url("kept")).await?;
    sqlx::raw_sql("create table kept as select 'still here' as text").execute(&mut connection).await?;
    connection.close().await?;
    Ok((data_dir, cluster))
}

const KEPT: &str = "select text from kept";

#[tokio::test]
async fn a_stopped_cluster_starts_again_with_its_data() -> Result<()> {
    let (data_dir, mut cluster) = kept().await?;
    let pid = postmaster(data_dir.path())?;
    cluster.stop().await?;
    wait_until_gone(pid).await?;
    let mut cluster = start(data_dir.path()).await?;
    assert!(!cluster.is_shared());
    assert_eq!(query(&cluster, KEPT).await?, "still here");
    cluster.stop().await?;
    Cluster::remove(data_dir.path())
}

#[tokio::test]
async fn a_killed_server_recovers() -> Result<()> {
    let (data_dir, mut cluster) = kept().await?;
    cluster.kill_hard().await?;
    assert!(query(&cluster, KEPT).await.is_err());
    cluster.restart().await?;
    assert_eq!(query(&cluster, KEPT).await?, "still here");
    // And again, now with the first owner gone without a word.
    kill(postmaster(data_dir.path())?)?;
    drop(cluster);
    let mut cluster = start(data_dir.path()).await?;
    assert_eq!(query(&cluster, KEPT).await?, "still here");
    cluster.stop().await?;
    Cluster::remove(data_dir.path())
}

#[tokio::test]
async fn a_server_killed_over_and_over_comes_back_each_time() -> Result<()> {
    let mut cluster = Cluster::start(ClusterOptions::Throwaway).await?;
    let port = cluster.port();
    for _ in 0..3 {
        // A process of the server's that is busy notices only when it is done: the next server has to wait for it.
        let mut connection = PgConnection::connect(&cluster.database_url("postgres")).await?;
        let busy = tokio::spawn(async move {
            sqlx::raw_sql("select count(*) from generate_series(1, 5000000)").execute(&mut connection).await
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        cluster.kill_hard().await?;
        cluster.restart().await?;
        assert_eq!(cluster.port(), port);
        PgConnection::connect(&cluster.database_url("postgres")).await?.close().await?;
        busy.abort();
    }
    Ok(())
}

#[tokio::test]
async fn a_pid_file_that_names_another_process_is_no_obstacle() -> Result<()> {
    let (data_dir, mut cluster) = kept().await?;
    let pid_file = folder(data_dir.path()).join("data/postmaster.pid");
    let stale = fs::read_to_string(&pid_file)?;
    let pid = stale.lines().next().context("an empty pid file")?.to_owned();
    cluster.stop().await?;
    fs::write(&pid_file, stale.replacen(&pid, &std::process::id().to_string(), 1))?;
    let mut cluster = start(data_dir.path()).await?;
    assert_eq!(query(&cluster, KEPT).await?, "still here");
    cluster.stop().await?;
    Cluster::remove(data_dir.path())
}

#[tokio::test]
async fn a_second_start_uses_the_server_of_the_first() -> Result<()> {
    let (data_dir, mut first) = kept().await?;
    let mut second = start(data_dir.path()).await?;
    assert!(second.is_shared());
    assert_eq!(second.port(), first.port());
    assert_eq!(query(&second, KEPT).await?, "still here");
    assert!(Cluster::remove(data_dir.path()).unwrap_err().to_string().contains("stop it first"));
    second.stop().await?;
    assert_eq!(query(&first, KEPT).await?, "still here");
    first.stop().await?;
    Cluster::remove(data_dir.path())?;
    assert!(!folder(data_dir.path()).exists());
    Ok(())
}

#[tokio::test]
async fn a_server_whose_owner_vanished_is_replaced() -> Result<()> {
    let (data_dir, cluster) = kept().await?;
    let orphan = postmaster(data_dir.path())?;
    let watcher: i32 = fs::read_to_string(folder(data_dir.path()).join("watcher.pid"))?.trim().parse()?;
    kill(watcher)?;
    wait_until_gone(watcher).await?;
    let mut next = start(data_dir.path()).await?;
    assert!(!next.is_shared());
    assert_ne!(postmaster(data_dir.path())?, orphan);
    assert_eq!(query(&next, KEPT).await?, "still here");
    drop(cluster);
    next.stop().await?;
    Cluster::remove(data_dir.path())
}

#[tokio::test]
async fn a_dropped_throwaway_cluster_leaves_nothing() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::Throwaway).await?;
    let mut connection = PgConnection::connect(&cluster.database_url("postgres")).await?;
    let data: String = sqlx::query_scalar("show data_directory").fetch_one(&mut connection).await?;
    let data = PathBuf::from(data);
    assert!(data.is_dir());
    drop(cluster);
    let folder = data.parent().context("no folder")?;
    let deadline = Instant::now() + Duration::from_secs(20);
    while folder.exists() {
        ensure!(Instant::now() < deadline, "{} is still there", folder.display());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::test]
async fn two_starts_at_once_are_one_server() -> Result<()> {
    let data_dir = tempfile::tempdir()?;
    let (one, other) = tokio::join!(start(data_dir.path()), start(data_dir.path()));
    let (mut one, mut other) = (one?, other?);
    assert_eq!(one.port(), other.port());
    assert_ne!(one.is_shared(), other.is_shared(), "one started it, the other found it");
    if one.is_shared() { other.stop().await } else { one.stop().await }
}
