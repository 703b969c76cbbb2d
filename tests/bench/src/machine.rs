//! On what it was measured.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use tally_host::process::capture;

use crate::ground::Ground;

/// The machine, the versions, the settings, as lines of a list.
pub(crate) fn describe(ground: &Ground, postgres: &str) -> String {
    let subject = &ground.subject;
    let host = if subject.on_spin {
        line(Command::new("spin").arg("--version")).unwrap_or_else(|| "spin".to_owned())
    } else {
        "the local host (`tests/host`)".to_owned()
    };
    let facts = [
        format!("{} processors, {}", available_parallelism().map_or(0, usize::from), processor()),
        format!("{} of memory, {}", memory(), system()),
        format!("Postgres {postgres}, its own defaults but for {}", ground.settings().join(", ")),
        format!("served by {host}; {}", line(Command::new("rustc").arg("--version")).unwrap_or_default()),
        format!("commit {}, {}", commit(&subject.checkout), jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC")),
        format!("load of the machine before the run: {}", load()),
    ];
    facts.map(|fact| format!("- {fact}")).join("\n")
}

/// The load averages of the last 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_ascii_whitespace().take(3).collect::<Vec<_>>().join(", ")
}

fn line(command: &mut Command) -> Option<String> {
    Some(capture(command).ok()?.lines().next()?.trim().to_owned())
}

fn processor() -> String {
    named("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn memory() -> String {
    let kilobytes = named("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    kilobytes.map_or_else(|| "an unknown amount".to_owned(), |kilobytes| format!("{:.0} GiB", kilobytes / 1_048_576.0))
}

fn system() -> String {
    line(Command::new("uname").arg("-sr")).unwrap_or_else(|| std::env::consts::OS.to_owned())
}

/// The value of a line `name : value`.
fn named(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let (_, value) = text.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_owned())
}

fn commit(checkout: &Path) -> String {
    let git = |arguments: &[&str]| line(Command::new("git").arg("-C").arg(checkout).args(arguments));
    let commit = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    let is_changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some();
    if is_changed { format!("{commit} with changes") } else { commit }
}
