//! A cluster of our own: made, started, watched, stopped.
//!
//! One data directory has one server. A second start finds the first one running and uses it, without owning it: it ends
//! with the process that started it. A server whose owner died without its watcher is stopped and started anew.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use tokio::time::{sleep, timeout};

use super::binaries::{Binaries, find_or_install};
use super::place;
use super::postmaster::{self, DATA};
use crate::account::Account;
use crate::process::{Watched, WatchedCommand, log_tail};
use crate::secrets::random_hex;

const SUPERUSER: &str = "tally";
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const INITDB_LIMIT: Duration = Duration::from_secs(120);
const PASSWORD: &str = "password";
const LOG: &str = "postgres.log";
const WATCHER: &str = "watcher.pid";

/// Which cluster to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterOptions {
    /// The one that lives in this data directory.
    Kept(PathBuf),
    /// A new one in a temporary folder, which goes with this process: quick, and safe against nothing.
    Throwaway,
    /// The same with the settings that a commit's safety rests on as Postgres has them, all on, and these
    /// (`name=value`) besides: to be crashed, or measured.
    Durable(Vec<String>),
    /// As [`ClusterOptions::Throwaway`] with these programs, in this folder, which the server's account owns: it may hold the programs too.
    ThrowawayIn(PathBuf, Binaries),
}

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    binaries: Binaries,
    account: Option<Account>,
    folder: PathBuf,
    password: String,
    port: u16,
    kind: Kind,
    /// Settings of the server that the kind does not decide.
    settings: Vec<String>,
    server: Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Kept,
    Throwaway,
    Durable,
}

#[derive(Debug)]
enum Server {
    Ours(Box<Watched>),
    /// Another process started it and will end it.
    Theirs,
    Stopped,
}

impl Cluster {
    /// Starts the cluster, making it first where there is none; ready for connections when it answers.
    pub async fn start(options: ClusterOptions) -> Result<Self> {
        match options {
            ClusterOptions::Throwaway => Self::start_temporary(Kind::Throwaway, Vec::new()).await,
            ClusterOptions::Durable(settings) => Self::start_temporary(Kind::Durable, settings).await,
            ClusterOptions::ThrowawayIn(folder, binaries) => {
                let account = tokio::task::spawn_blocking(Account::for_database).await??;
                Self::start_in(folder, binaries, account, Kind::Throwaway, Vec::new()).await
            }
            ClusterOptions::Kept(data_dir) => {
                // One at a time decides what to do with this data directory.
                let lock = File::create(data_dir.join("lock")).context("cannot write to the data directory")?;
                let _locked = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
                let (binaries, account) = server_programs(existing_major(&data_dir)).await?;
                let folder = place::find_or_make(&data_dir, account.as_ref())?;
                Self::start_in(folder, binaries, account, Kind::Kept, Vec::new()).await
            }
        }
    }

    /// Removes the cluster of a data directory; refuses while its server runs.
    pub fn remove(data_dir: &Path) -> Result<()> {
        place::remove(data_dir)
    }

    async fn start_temporary(kind: Kind, settings: Vec<String>) -> Result<Self> {
        let (binaries, account) = server_programs(None).await?;
        let folder = place::temporary_folder(&std::env::temp_dir(), account.as_ref())?.keep();
        Self::start_in(folder, binaries, account, kind, settings).await
    }

    async fn start_in(
        folder: PathBuf,
        binaries: Binaries,
        account: Option<Account>,
        kind: Kind,
        settings: Vec<String>,
    ) -> Result<Self> {
        let (password, port, server) = (String::new(), 0, Server::Stopped);
        let mut cluster = Self { binaries, account, folder, password, port, kind, settings, server };
        cluster.init().await?;
        cluster.password = fs::read_to_string(cluster.folder.join(PASSWORD))?.trim().to_owned();
        cluster.start_server().await?;
        Ok(cluster)
    }

    /// The programs it runs with.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Its TCP port on 127.0.0.1; another one after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether another process owns the server: it goes when that process does.
    pub fn is_shared(&self) -> bool {
        matches!(self.server, Server::Theirs)
    }

    /// What the server has logged so far.
    pub fn server_log(&self) -> Result<String> {
        let log = self.log();
        let bytes = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The superuser's URL of a database.
    pub fn database_url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}:{}@127.0.0.1:{}/{database}?sslmode=disable", self.password, self.port)
    }

    /// Makes an empty database.
    pub async fn create_database(&self, name: &str) -> Result<()> {
        self.create_from_template(name, "template0").await
    }

    /// Makes a copy of a database that nobody is connected to.
    pub async fn create_from_template(&self, name: &str, template: &str) -> Result<()> {
        self.administer(format!("create database {} template {}", quote(name), quote(template))).await
    }

    /// Whether a database of this name exists.
    pub async fn has_database(&self, name: &str) -> Result<bool> {
        let mut connection = self.connect().await?;
        let found: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok(found)
    }

    /// Drops a database, whoever is connected to it.
    pub async fn drop_database(&self, name: &str) -> Result<()> {
        self.administer(format!("drop database if exists {} with (force)", quote(name))).await
    }

    /// Runs a statement as the superuser, outside any of the databases.
    pub async fn administer(&self, statement: String) -> Result<()> {
        let mut connection = self.connect().await?;
        sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut connection).await.context(statement)?;
        Ok(connection.close().await?)
    }

    async fn connect(&self) -> Result<PgConnection> {
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username(SUPERUSER)
            .password(&self.password)
            .database("postgres")
            .ssl_mode(PgSslMode::Disable);
        Ok(options.connect().await?)
    }

    /// Waits until the server ends by itself; for ever if it is not ours.
    pub async fn wait_ended(&self) {
        match &self.server {
            Server::Ours(server) => {
                server.wait_ended().await;
            }
            Server::Theirs | Server::Stopped => std::future::pending().await,
        }
    }

    /// Stops the server if it is ours, as a careful operator would.
    pub async fn stop(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.server, Server::Stopped) {
            Server::Ours(server) => server.stop(STOP_LIMIT).await,
            Server::Theirs | Server::Stopped => Ok(()),
        }
    }

    /// Stops the server and starts it again, on the same port.
    pub async fn restart(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.server, Server::Stopped) {
            Server::Ours(server) => server.stop_and_leave(STOP_LIMIT).await?,
            Server::Stopped => {}
            Server::Theirs => bail!("the server is not ours to restart"),
        }
        let port = self.port;
        self.launch_in_time(|| Ok(port)).await
    }

    /// Kills the server's first process, whereupon the others end when they notice; `restart` brings it back.
    pub async fn kill_hard(&mut self) -> Result<()> {
        let (server, pid) = self.own_server()?;
        signal(pid, Signal::KILL)?;
        server.wait_ended().await;
        Ok(())
    }

    /// Kills every process of the server at once, amid whatever it does, as a crash would; `restart` brings it back.
    pub async fn crash(&mut self) -> Result<()> {
        let (server, pid) = self.own_server()?;
        // Held first: it makes no further process then, and waits for none, so that no process id is anybody else's.
        signal(pid, Signal::STOP)?;
        for process in postmaster::children(pid)?.into_iter().chain([pid]) {
            signal(process, Signal::KILL)?;
        }
        server.wait_ended().await;
        Ok(())
    }

    fn own_server(&self) -> Result<(&Watched, i32)> {
        let Server::Ours(server) = &self.server else {
            bail!("the server is not ours to kill");
        };
        let running = postmaster::running(&self.data())?.context("the server does not run")?;
        Ok((server, running.pid))
    }

    /// Whether it goes with this process.
    fn is_throwaway(&self) -> bool {
        self.kind != Kind::Kept
    }

    fn data(&self) -> PathBuf {
        self.folder.join(DATA)
    }

    /// Makes the cluster, in a folder that gets its name when it is complete.
    async fn init(&self) -> Result<()> {
        if self.data().join("PG_VERSION").is_file() {
            return Ok(());
        }
        let making = self.folder.join("data.new");
        self.write_private(&self.folder.join(PASSWORD), &random_hex(24)?)?;
        // C.UTF-8 knows letters beyond ASCII; not every system has it.
        for locale in ["C.UTF-8", "C"] {
            if making.exists() {
                fs::remove_dir_all(&making)?;
            }
            let initdb = self.watch("initdb", self.initdb_arguments(locale, &making), "TERM")?;
            let code = timeout(INITDB_LIMIT, initdb.wait_ended()).await.unwrap_or(-1);
            initdb.stop_and_leave(STOP_LIMIT).await?;
            if code == 0 {
                return fs::rename(&making, self.data()).context("cannot name the new cluster");
            }
        }
        bail!("initdb failed:\n{}", log_tail(&self.log()))
    }

    fn initdb_arguments(&self, locale: &str, folder: &Path) -> Vec<OsString> {
        let fixed = ["--username", SUPERUSER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-instructions"];
        let mut arguments: Vec<OsString> = fixed.map(OsString::from).into();
        arguments.extend(["--locale".into(), locale.into()]);
        arguments.extend(["--pwfile".into(), self.folder.join(PASSWORD).into()]);
        arguments.extend(["--pgdata".into(), folder.into()]);
        arguments.extend(self.is_throwaway().then(|| "--no-sync".into()));
        arguments
    }

    /// Runs a program on the cluster's folder, which goes with it if it is a temporary one.
    fn watch(&self, program: &str, arguments: Vec<OsString>, stop_signal: &'static str) -> Result<Watched> {
        Watched::spawn(&WatchedCommand {
            program: self.binaries.program(program),
            arguments,
            // The messages' language, which we read.
            environment: vec![("LC_ALL".into(), "C".into())],
            log: self.log(),
            stop_signal,
            remove: self.is_throwaway().then(|| self.folder.clone()),
            account: self.account.clone(),
        })
    }

    fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    fn write_private(&self, file: &Path, text: &str) -> Result<()> {
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(0o600).open(file)?.write_all(text.as_bytes())?;
        if let Some(account) = &self.account {
            chown(file, Some(account.uid()), None)?;
        }
        Ok(())
    }

    /// Starts the server, or finds it started.
    async fn start_server(&mut self) -> Result<()> {
        if let Some(running) = postmaster::running(&self.data())? {
            if self.has_living_owner() {
                self.port = running.port;
                self.server = Server::Theirs;
                return self.wait_ready().await;
            }
            stop_orphan(running.pid).await?;
        }
        postmaster::remove_stale_file(&self.data())?;
        // Somebody may take the port between our look and the server's.
        self.launch_in_time(free_port).await
    }

    /// Launches the server, again if what stood in its way passes.
    async fn launch_in_time(&mut self, port: impl Fn() -> Result<u16>) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match self.launch(port()?).await {
                Err(_) if Instant::now() < deadline && self.may_start_later() => {
                    sleep(Duration::from_millis(200)).await
                }
                outcome => return outcome,
            }
        }
    }

    fn has_living_owner(&self) -> bool {
        let watcher = fs::read_to_string(self.folder.join(WATCHER)).ok();
        watcher.and_then(|pid| pid.trim().parse().ok()).is_some_and(postmaster::is_alive)
    }

    fn may_start_later(&self) -> bool {
        let log = log_tail(&self.log());
        // Somebody took the port between our look and the server's; processes of a killed server have yet to notice.
        ["could not create any TCP/IP sockets", "pre-existing shared memory block"]
            .iter()
            .any(|reason| log.contains(reason))
    }

    async fn launch(&mut self, port: u16) -> Result<()> {
        self.port = port;
        let stop_signal = if self.is_throwaway() { "QUIT" } else { "INT" };
        let watched = self.watch("postgres", self.server_arguments(), stop_signal)?;
        let watcher = watched.watcher_id().context("the watcher is gone")?;
        self.write_private(&self.folder.join(WATCHER), &watcher.to_string())?;
        self.server = Server::Ours(Box::new(watched));
        self.wait_ready().await
    }

    fn server_arguments(&self) -> Vec<OsString> {
        let port = format!("port={}", self.port);
        let mut settings = vec![
            port.as_str(),
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=300",
            "timezone=UTC",
            "log_timezone=UTC",
            "logging_collector=off",
        ];
        match self.kind {
            Kind::Kept => {}
            Kind::Throwaway => settings.extend(["fsync=off", "full_page_writes=off", "max_connections=600"]),
            Kind::Durable => settings.extend(["fsync=on", "full_page_writes=on", "synchronous_commit=on"]),
        }
        settings.extend(self.settings.iter().map(String::as_str));
        let data = [OsString::from("-D"), self.data().into()];
        data.into_iter().chain(settings.into_iter().flat_map(|setting| ["-c".into(), setting.into()])).collect()
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let failure = match self.connect().await {
                Ok(connection) => return Ok(connection.close().await?),
                Err(error) => error,
            };
            let has_ended = matches!(&self.server, Server::Ours(server) if server.has_ended());
            if has_ended || Instant::now() >= deadline {
                let log = log_tail(&self.log());
                if let Server::Ours(server) = std::mem::replace(&mut self.server, Server::Stopped) {
                    server.stop_and_leave(STOP_LIMIT).await?;
                }
                return Err(failure.context(format!("the database server did not start:\n{log}")));
            }
            sleep(Duration::from_millis(30)).await;
        }
    }
}

impl Drop for Cluster {
    /// A temporary folder goes with its server's watcher, but for one whose server was stopped, or never came back.
    fn drop(&mut self) {
        if self.is_throwaway() && matches!(self.server, Server::Stopped) {
            // There is nobody left to tell of a failure.
            let _outcome = fs::remove_dir_all(&self.folder);
        }
    }
}

async fn server_programs(major: Option<u32>) -> Result<(Binaries, Option<Account>)> {
    let find = move || {
        // The programs first: installing them makes the account.
        let binaries = find_or_install(major)?;
        Ok((binaries, Account::for_database()?))
    };
    tokio::task::spawn_blocking(find).await?
}

fn existing_major(data_dir: &Path) -> Option<u32> {
    let folder = place::existing(data_dir)?;
    fs::read_to_string(folder.join(DATA).join("PG_VERSION")).ok()?.trim().parse().ok()
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

fn signal(pid: i32, signal: Signal) -> Result<()> {
    let pid = Pid::from_raw(pid).context("not a process id")?;
    kill_process(pid, signal).context("cannot signal the server")
}

async fn stop_orphan(pid: i32) -> Result<()> {
    signal(pid, Signal::INT)?;
    let deadline = Instant::now() + STOP_LIMIT;
    while postmaster::is_alive(pid) {
        ensure!(Instant::now() < deadline, "a database server that nobody owns (pid {pid}) does not stop");
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted() {
        assert_eq!(quote("it_1"), "\"it_1\"");
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
    }
}
