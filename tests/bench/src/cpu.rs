//! How much processor time the server, the host and the load generator took, from `/proc`; where there is none, nothing is
//! told.

use std::collections::HashMap;
use std::fs;
use std::ops::{AddAssign, Sub};

/// What the kernel counts times in here: the same on every architecture of Linux that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// The processes of a benchmark.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Processes {
    /// The database server, whose sessions are its children.
    pub(crate) postmaster: u32,
    /// A process of which the host is a descendant.
    pub(crate) host: u32,
}

/// Processor time, seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    pub(crate) postgres: f64,
    pub(crate) host: f64,
    pub(crate) generator: f64,
}

impl Usage {
    /// What they have taken since they began.
    pub(crate) fn now(processes: Processes) -> Option<Self> {
        let all = read_all()?;
        let seconds = |ticks: u64| ticks as f64 / TICKS_PER_SECOND;
        Some(Self {
            postgres: seconds(of_tree(&all, processes.postmaster)),
            host: seconds(of_tree(&all, processes.host)),
            generator: seconds(all.get(&std::process::id())?.own),
        })
    }

    pub(crate) fn total(self) -> f64 {
        self.postgres + self.host + self.generator
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            postgres: self.postgres - before.postgres,
            host: self.host - before.host,
            generator: self.generator - before.generator,
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.postgres += other.postgres;
        self.host += other.host;
        self.generator += other.generator;
    }
}

/// What is known of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    parent: u32,
    /// Ticks of its own.
    own: u64,
    /// Ticks of children that have ended.
    of_ended_children: u64,
}

impl Process {
    /// Reads `/proc/PID/stat`; the name in parentheses may hold anything.
    fn parse(stat: &str) -> Option<Self> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: ticks(11)? + ticks(12)?,
            of_ended_children: ticks(13)? + ticks(14)?,
        })
    }
}

/// The parent of a process.
pub(crate) fn parent_of(pid: u32) -> Option<u32> {
    Some(Process::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?.parent)
}

fn read_all() -> Option<HashMap<u32, Process>> {
    let mut all = HashMap::new();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // It may have ended meanwhile.
        if let Ok(stat) = fs::read_to_string(entry.path().join("stat"))
            && let Some(process) = Process::parse(&stat)
        {
            all.insert(pid, process);
        }
    }
    Some(all)
}

/// The ticks of a process and all its descendants, those included that have ended and were waited for.
fn of_tree(all: &HashMap<u32, Process>, root: u32) -> u64 {
    let mut ticks = 0;
    let mut rest = vec![root];
    while let Some(pid) = rest.pop() {
        ticks += all.get(&pid).map_or(0, |process| process.own + process.of_ended_children);
        rest.extend(all.iter().filter(|(_, process)| process.parent == pid).map(|(child, _)| *child));
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str =
        "4711 (a ) b) S 17 4711 4711 0 -1 4194560 1 2 3 4 250 50 7 3 20 0 9 0 100 1 1 18446744073709551615";

    #[test]
    fn reads_the_kernels_line() {
        assert_eq!(Process::parse(STAT), Some(Process { parent: 17, own: 300, of_ended_children: 10 }));
        assert_eq!(Process::parse("4711 (a) S 17"), None);
        assert_eq!(Process::parse(""), None);
    }

    #[test]
    fn a_tree_is_a_process_and_its_descendants() {
        let process = |parent, own, of_ended_children| Process { parent, own, of_ended_children };
        let all = HashMap::from([
            (1, process(0, 1_000, 0)),
            (2, process(1, 1, 10)),
            (3, process(2, 2, 0)),
            (4, process(3, 3, 20)),
            (5, process(1, 500, 0)),
        ]);
        assert_eq!(of_tree(&all, 2), 36);
        assert_eq!(of_tree(&all, 9), 0);
    }

    #[test]
    fn this_process_has_a_parent_where_there_is_proc() {
        assert_eq!(parent_of(std::process::id()).is_some(), fs::exists("/proc/self/stat").unwrap());
    }
}
