//! What `postmaster.pid` tells of a server that runs, or ran.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, test_kill_process};

use crate::process::capture;

/// The data folder within the cluster's folder.
pub(super) const DATA: &str = "data";
const PID_FILE: &str = "postmaster.pid";

/// A server that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Postmaster {
    /// Its process id.
    pub(super) pid: i32,
    /// Its TCP port.
    pub(super) port: u16,
}

impl Postmaster {
    /// Reads the lines of the pid file: pid, data directory, start, port, ...
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        Some(Self { pid: lines.next()?.trim().parse().ok()?, port: lines.nth(2)?.trim().parse().ok()? })
    }
}

/// The server that runs on this data folder, if one does.
pub(super) fn running(data: &Path) -> Result<Option<Postmaster>> {
    let text = match fs::read_to_string(data.join(PID_FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {PID_FILE} in {}", data.display())),
    };
    Ok(Postmaster::parse(&text).filter(|server| is_alive(server.pid) && is_server_of(server.pid, data)))
}

/// Removes the pid file of a server that is gone, whose process id another process has by now: the server would take
/// that one for its own kind and refuse to start.
pub(super) fn remove_stale_file(data: &Path) -> Result<()> {
    if running(data)?.is_some() {
        return Ok(());
    }
    match fs::read_to_string(data.join(PID_FILE)) {
        Ok(text) if text.lines().next().and_then(|pid| pid.trim().parse().ok()).is_some_and(is_alive) => {
            fs::remove_file(data.join(PID_FILE)).with_context(|| format!("cannot remove {PID_FILE}"))
        }
        // A pid of nobody's: the server checks more than we do, and removes the file itself.
        _ => Ok(()),
    }
}

/// Whether a process has this id, be it somebody else's; one that has ended and was not waited for does not count.
pub(super) fn is_alive(pid: i32) -> bool {
    let is_known = Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH));
    let is_zombie = || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    is_known && !is_zombie()
}

/// The processes that this one started and has not waited for.
pub(super) fn children(pid: i32) -> Result<Vec<i32>> {
    let parents = match fs::read_dir("/proc/self") {
        Ok(_) => parents_in_proc()?,
        Err(_) => capture(Command::new("ps").args(["-A", "-o", "pid=", "-o", "ppid="]))?,
    };
    let pairs = parents.lines().filter_map(|line| {
        let mut ids = line.split_whitespace().map(str::parse::<i32>);
        Some((ids.next()?.ok()?, ids.next()?.ok()?))
    });
    Ok(pairs.filter(|(_, parent)| *parent == pid).map(|(child, _)| child).collect())
}

/// As `ps` prints them, which not every system has: each process id, and that of its parent.
fn parents_in_proc() -> Result<String> {
    let mut lines = String::new();
    for entry in fs::read_dir("/proc")? {
        // One that has ended meanwhile has no file any more.
        let Ok(stat) = fs::read_to_string(entry?.path().join("stat")) else {
            continue;
        };
        // `pid (name) state parent`; a name may hold anything.
        if let (Some((pid, _)), Some((_, rest))) = (stat.split_once(' '), stat.rsplit_once(')')) {
            let parent = rest.split_whitespace().nth(1).unwrap_or_default();
            lines.push_str(&format!("{pid} {parent}\n"));
        }
    }
    Ok(lines)
}

/// Whether the process is a server, of this data folder: its command line names the folder.
fn is_server_of(pid: i32, data: &Path) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).or_else(|_| {
        capture(Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid.to_string()])).map(String::into_bytes)
    });
    let data = data.as_os_str().as_bytes();
    line.is_ok_and(|line| line.windows(data.len()).any(|part| part == data))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "4711\n/data\n1700000000\n5433\n\n127.0.0.1\n  1 2\nready   \n";

    #[test]
    fn reads_the_pid_file() {
        assert_eq!(Postmaster::parse(FILE), Some(Postmaster { pid: 4711, port: 5433 }));
        assert_eq!(Postmaster::parse("4711\n/data\n"), None);
        assert_eq!(Postmaster::parse(""), None);
    }

    #[test]
    fn knows_its_children() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let found = children(std::process::id().cast_signed()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&child.id().cast_signed()), "{found:?}");
        assert_eq!(children(child.id().cast_signed()).unwrap(), Vec::<i32>::new());
    }

    #[test]
    fn another_process_of_that_id_is_no_server() {
        let data = tempfile::tempdir().unwrap();
        let own = FILE.replace("4711", &std::process::id().to_string());
        fs::write(data.path().join(PID_FILE), own).unwrap();
        assert_eq!(running(data.path()).unwrap(), None);
        remove_stale_file(data.path()).unwrap();
        assert!(!data.path().join(PID_FILE).exists());
    }
}
