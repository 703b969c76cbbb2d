//! Installs what a machine lacks, where that can be done without asking: as root on Debian and its kin, and programs that
//! npm has, into a folder of ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

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

/// Installs the npm packages that `manifest` (a folder with `package.json` and `package-lock.json`) names into `folder`, if
/// they are not there yet; answers the folder with their programs.
pub fn install_npm(manifest: &Path, folder: &Path) -> Result<PathBuf> {
    let read = |file: &str| fs::read(manifest.join(file)).with_context(|| format!("cannot read {file}"));
    let wanted = [read("package.json")?, read("package-lock.json")?].concat();
    let (installed, programs) = (folder.join("installed"), folder.join("node_modules/.bin"));
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(programs);
    }
    if process::find_on_path("npm").is_none() {
        install("npm is not found", &["npm"])?;
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(manifest.join(file), folder.join(file))?;
    }
    say(format!("installing the npm packages of {}", manifest.display()));
    let mut npm = Command::new("npm");
    // Not `npm ci`: it asks the lock for the packages of all platforms, and some registries keep only those of a few.
    npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder);
    let finished = run_bounded(&mut npm, LIMIT)?;
    if !finished.success() {
        bail!("npm could not install the packages of {}:\n{}", manifest.display(), finished.output.trim());
    }
    fs::write(installed, wanted)?;
    Ok(programs)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_npm_could_not_install_is_not_taken_for_installed() {
        let folder = tempfile::tempdir().unwrap();
        let (manifest, tools) = (folder.path().join("manifest"), folder.path().join("tools"));
        fs::create_dir(&manifest).unwrap();
        fs::write(manifest.join("package-lock.json"), r#"{"lockfileVersion": 3, "packages": {"": {}}}"#).unwrap();
        fs::write(manifest.join("package.json"), "{").unwrap();
        for _ in 0..2 {
            assert!(install_npm(&manifest, &tools).is_err());
        }
        fs::write(manifest.join("package.json"), "{}").unwrap();
        assert_eq!(install_npm(&manifest, &tools).unwrap(), tools.join("node_modules/.bin"));
        // The second time npm is not asked: it would refuse.
        fs::write(tools.join("package.json"), "{").unwrap();
        install_npm(&manifest, &tools).unwrap();
    }
}
