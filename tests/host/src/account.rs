//! Whom the database server runs as: it refuses to run as root.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::process;

/// An account of this machine that is not ours.
#[derive(Debug, Clone)]
pub struct Account {
    name: String,
    uid: u32,
    gid: u32,
}

/// Whether this process runs as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Account {
    /// The account for the database: `postgres` when this process runs as root, else our own (`None`).
    pub fn for_database() -> Result<Option<Self>> {
        if !is_root() {
            return Ok(None);
        }
        Self::named("postgres")
            .context("as root the server runs as the user postgres, which does not exist: useradd --system postgres")
            .map(Some)
    }

    fn named(name: &str) -> Result<Self> {
        let id = |flag: &str| -> Result<u32> {
            Ok(process::capture(Command::new("id").args([flag, name]))?.trim().parse()?)
        };
        Ok(Self { name: name.to_owned(), uid: id("-u")?, gid: id("-g")? })
    }

    /// The account's user id.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// Makes a command run as this account, with no group but its own.
    pub fn apply(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid).env("HOME", "/").env("USER", &self.name).env("LOGNAME", &self.name);
    }

    /// Gives a folder to this account alone.
    pub fn give(&self, folder: &Path) -> Result<()> {
        chown(folder, Some(self.uid), Some(self.gid))
            .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o700)))
            .with_context(|| format!("cannot give {} to {}", folder.display(), self.name))
    }

    /// Whether this account can enter the folder and write there.
    pub fn can_use(&self, folder: &Path) -> bool {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", r#"cd -- "$1" && test -w ."#, "sh"])
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.apply(&mut command);
        command.status().is_ok_and(|status| status.success())
    }
}
