//! Installs what a machine lacks, where that can be done without asking: as root on Debian and its kin.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::account;
use crate::process::{self, run_bounded};
use crate::progress::say;

const LIMIT: Duration = Duration::from_secs(15 * 60);

/// Whether this machine has apt.
pub fn has_apt() -> bool {
    process::find_on_path("apt-get").is_some()
}

/// Installs Debian packages; fails, naming the command to run, where that takes a person.
///
/// `missing` says for what: "Postgres is not installed".
pub fn install(missing: &str, packages: &[&str]) -> Result<()> {
    let command = format!("apt-get update && apt-get install -y --no-install-recommends {}", packages.join(" "));
    if !has_apt() {
        bail!("{missing}, and this machine has no apt-get to install it with");
    }
    if !account::is_root() {
        bail!("{missing}. To install it: sudo sh -c '{command}'");
    }
    say(format!("{missing}: installing {} (a minute or two)", packages.join(" ")));
    // A stale index names packages that are gone; an index that cannot be refreshed may still do.
    let update = run_bounded(apt().arg("update"), LIMIT)?;
    let install = run_bounded(apt().args(["install", "-y", "--no-install-recommends"]).args(packages), LIMIT)?;
    if !install.success() {
        bail!("{missing}, and installing it failed ({command}):\n{}\n{}", update.complaint(), install.output.trim());
    }
    Ok(())
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.args(["-q", "-o", "DPkg::Lock::Timeout=300"]).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Whether this is Debian or a derivative.
pub fn is_debian() -> bool {
    has_apt() && fs::exists(Path::new("/etc/debian_version")).unwrap_or(false)
}
