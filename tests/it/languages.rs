//! Other languages whose libraries tests use, where the machine has them.

use std::fs;
use std::io::{Write as _, stderr};
use std::path::Path;

use anyhow::{Result, ensure};
use tally_host::process::find_on_path;

/// Major and minor.
pub(crate) type Version = (u32, u32);

/// A language whose libraries tests use.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Language {
    Node,
    Python,
}

impl Language {
    /// Its program, and the least version of it that the pinned libraries and their installer take.
    pub(crate) fn program(self) -> (&'static str, Version) {
        match self {
            Self::Node => ("node", (18, 0)),
            Self::Python => ("python3", (3, 11)),
        }
    }

    /// Whether this machine has it, new enough; says so in the test's output where not.
    pub(crate) fn is_here(self) -> bool {
        let (program, needed) = self.program();
        let has_installer = match self {
            Self::Node => find_on_path("npm").is_some(),
            Self::Python => has_pip(),
        };
        let lacking = match version_of(program) {
            None => format!("no {program}"),
            Some(found) if found < needed => {
                let ((major, minor), (needs, needs_minor)) = (found, needed);
                format!("{program} {major}.{minor}, and {needs}.{needs_minor} is needed")
            }
            Some(_) if !has_installer => format!("no package installer for {program}"),
            Some(_) => return true,
        };
        // Past the test harness, which shows nothing of tests that pass.
        writeln!(stderr(), "passed over: this machine has {lacking}").expect("standard error is open");
        false
    }
}

/// The version that a program tells of itself.
fn version_of(program: &str) -> Option<Version> {
    let output = std::process::Command::new(find_on_path(program)?).arg("--version").output().ok()?;
    read_version(&String::from_utf8(output.stdout).ok()?)
}

/// The first two numbers of a text such as `v20.20.2`, `Python 3.11.7` or `>=22`.
pub(crate) fn read_version(text: &str) -> Option<Version> {
    let text = text.trim_start_matches(|character: char| !character.is_ascii_digit());
    let mut numbers = text.split(|character: char| !character.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next().and_then(Result::ok).unwrap_or_default()))
}

fn has_pip() -> bool {
    let pip = std::process::Command::new("python3").args(["-m", "pip", "--version"]).output();
    pip.is_ok_and(|output| output.status.success())
}

/// Installs what `requirements.txt` in the folder `manifest` names into `folder`, if it is not there yet.
pub(crate) fn install_pypi(manifest: &Path, folder: &Path) -> Result<()> {
    let requirements = manifest.join("requirements.txt");
    let (wanted, installed) = (fs::read(&requirements)?, folder.join("installed"));
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let mut pip = std::process::Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"]);
    let output = pip.arg(folder).arg("--requirement").arg(&requirements).output()?;
    ensure!(output.status.success(), "pip: {}", String::from_utf8_lossy(&output.stderr));
    fs::write(installed, wanted)?;
    Ok(())
}

#[test]
fn versions_are_read_as_programs_and_packages_write_them() {
    for (text, version) in [("v20.20.2\n", (20, 20)), ("Python 3.11.7", (3, 11)), (">=22", (22, 0))] {
        assert_eq!(read_version(text), Some(version), "{text}");
    }
    assert_eq!(read_version("none"), None);
}
