//! Child processes: bounded ones that are waited for, and watched ones that never outlive this process.
//!
//! A watched process runs under a small shell script that holds the reading end of a pipe whose writing end is ours.
//! However this process ends, SIGKILL included, the pipe closes; the script then stops the process, and removes the
//! folder that was only made for it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin};
use tokio::sync::watch;

use crate::account::Account;

const WATCHER: &str = include_str!("watcher.sh");

/// What a bounded command printed, and how it ended.
#[derive(Debug)]
pub struct Finished {
    /// How it ended; `None` when it ran out of time and was killed.
    pub status: Option<ExitStatus>,
    /// Its stdout and stderr, together.
    pub output: String,
}

impl Finished {
    /// Whether it ended in time and well.
    pub fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// What it said went wrong: the first line that begins like an error, else the last line of all.
    pub fn complaint(&self) -> &str {
        let mut lines = self.output.lines().map(str::trim).filter(|line| !line.is_empty());
        let error = lines.clone().find(|line| ["error", "E:"].iter().any(|mark| line.starts_with(mark)));
        error.or_else(|| lines.next_back()).unwrap_or("no output")
    }
}

/// Runs a command quietly, for no longer than `limit`.
pub fn run_bounded(command: &mut Command, limit: Duration) -> Result<Finished> {
    let mut output = tempfile::tempfile()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(Duration::from_millis(20));
    };
    let mut bytes = Vec::new();
    output.seek(SeekFrom::Start(0))?;
    output.read_to_end(&mut bytes)?;
    Ok(Finished { status, output: String::from_utf8_lossy(&bytes).into_owned() })
}

/// Runs a command, which must end well within a minute, and answers what it printed.
pub fn capture(command: &mut Command) -> Result<String> {
    let finished = run_bounded(command, Duration::from_secs(60))?;
    if !finished.success() {
        bail!("{} failed: {}", command.get_program().display(), finished.output.trim());
    }
    Ok(finished.output)
}

/// The file that a program's name stands for on PATH.
pub fn find_on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The last lines of a log file, for an error message.
pub fn log_tail(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// A process to be watched.
#[derive(Debug)]
pub struct WatchedCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// What its environment holds besides ours.
    pub environment: Vec<(OsString, OsString)>,
    /// Where its output goes, appended.
    pub log: PathBuf,
    /// The signal that stops it, as `kill -s` takes it.
    pub stop_signal: &'static str,
    /// A folder to remove once it ended and this process let go of it.
    pub remove: Option<PathBuf>,
    /// Whom it runs as, when not as ourselves.
    pub account: Option<Account>,
}

/// A process that ends when this process does.
#[derive(Debug)]
pub struct Watched {
    watcher: Child,
    pipe: Option<ChildStdin>,
    /// The exit code, once it has ended; -1 when nobody could tell.
    ended: watch::Receiver<Option<i32>>,
}

impl Watched {
    /// Starts the process and its watcher.
    pub fn spawn(command: &WatchedCommand) -> Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", WATCHER, "tally-watcher"])
            .arg(&command.log)
            .arg(command.stop_signal)
            .arg(command.remove.as_deref().map_or(OsStr::new(""), Path::as_os_str))
            .arg(&command.program)
            .args(&command.arguments)
            .envs(command.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .current_dir("/")
            // A Ctrl-C at the terminal is for us alone: we stop the process when nothing needs it any more.
            .process_group(0);
        if let Some(account) = &command.account {
            account.apply(&mut shell);
        }
        let mut watcher = tokio::process::Command::from(shell).spawn().context("cannot run /bin/sh")?;
        let pipe = watcher.stdin.take();
        let mut lines = BufReader::new(watcher.stdout.take().context("the watcher has no stdout")?).lines();
        let (tell, ended) = watch::channel(None);
        tokio::spawn(async move {
            // The end of the stream without a line means that the watcher is gone too.
            let line = lines.next_line().await.ok().flatten();
            tell.send_replace(Some(line.and_then(|code| code.trim().parse().ok()).unwrap_or(-1)));
        });
        Ok(Self { watcher, pipe, ended })
    }

    /// The process id of the watcher.
    pub fn watcher_id(&self) -> Option<u32> {
        self.watcher.id()
    }

    /// Whether the process has ended.
    pub fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// Waits until the process has ended by itself; answers its exit code, -1 when nobody could tell.
    pub async fn wait_ended(&self) -> i32 {
        let mut ended = self.ended.clone();
        let code = ended.wait_for(Option::is_some).await;
        code.ok().and_then(|code| *code).unwrap_or(-1)
    }

    /// Kills the process at once, as a crash would, and with it the watcher and whatever it started; the folder stays.
    pub async fn kill(&self) -> Result<()> {
        let watcher =
            self.watcher.id().and_then(|id| Pid::from_raw(id.cast_signed())).context("the watcher is gone")?;
        // The watcher leads the group.
        kill_process_group(watcher, Signal::KILL).context("cannot kill the process")?;
        self.wait_ended().await;
        Ok(())
    }

    /// Stops the process and waits for its watcher, which removes the folder too.
    pub async fn stop(mut self, limit: Duration) -> Result<()> {
        drop(self.pipe.take());
        self.wait_watcher(limit).await
    }

    /// Stops the process, but leaves the folder.
    pub async fn stop_and_leave(mut self, limit: Duration) -> Result<()> {
        if let Some(mut pipe) = self.pipe.take() {
            pipe.write_all(b"leave\n").await.context("the watcher is gone")?;
        }
        self.wait_watcher(limit).await
    }

    async fn wait_watcher(&mut self, limit: Duration) -> Result<()> {
        match tokio::time::timeout(limit, self.watcher.wait()).await {
            Ok(status) => status.map(drop).context("cannot wait for the watcher"),
            Err(_) => bail!("the process did not stop within {} s", limit.as_secs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_the_error_not_what_follows_it() {
        let finished = |output: &str| Finished { status: None, output: output.to_owned() };
        assert_eq!(finished("info: x\nerror: no network\n  12: <unknown>\n\n").complaint(), "error: no network");
        assert_eq!(finished("one\ntwo\n\n").complaint(), "two");
        assert_eq!(finished("").complaint(), "no output");
    }

    #[test]
    fn a_command_that_takes_too_long_is_killed() {
        let started = Instant::now();
        let finished = run_bounded(Command::new("sleep").arg("60"), Duration::from_millis(100)).unwrap();
        assert!(finished.status.is_none() && !finished.success());
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn what_a_command_prints_is_kept() {
        let mut command = Command::new("/bin/sh");
        let finished =
            run_bounded(command.args(["-c", "echo out; echo err >&2; exit 3"]), Duration::from_secs(30)).unwrap();
        assert_eq!(finished.status.and_then(|status| status.code()), Some(3));
        assert_eq!(finished.output, "out\nerr\n");
        assert!(capture(Command::new("false").arg("x")).is_err());
    }
}
