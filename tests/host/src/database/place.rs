//! Where a cluster lies: in the data directory, or elsewhere when the server's account cannot get there.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::postmaster;
use crate::account::{Account, is_root};

/// Under a data directory: where the cluster lies, or the file that says where else.
const HERE: &str = "postgres";
const ELSEWHERE: &str = "postgres.elsewhere";
/// Where it can lie instead.
const SHARED_FOLDERS: [&str; 2] = ["/var/lib", "/var/tmp"];

/// The folder for the cluster of `data_dir`, made if need be: the server's account owns it, and nobody else may enter.
pub(super) fn find_or_make(data_dir: &Path, account: Option<&Account>) -> Result<PathBuf> {
    make_data_dir(data_dir)?;
    let data_dir = fs::canonicalize(data_dir)?;
    let Some(account) = account else {
        let here = data_dir.join(HERE);
        make_private(&here)?;
        return Ok(here);
    };
    if let Some(elsewhere) = recorded(&data_dir)? {
        own(&elsewhere, account)?;
        return Ok(elsewhere);
    }
    let here = data_dir.join(HERE);
    make_private(&here)?;
    account.give(&here)?;
    if account.can_use(&here) {
        return Ok(here);
    }
    fs::remove_dir(&here).with_context(|| format!("{} holds a cluster that cannot be entered", here.display()))?;
    let elsewhere = make_elsewhere(&data_dir, account)?;
    fs::write(data_dir.join(ELSEWHERE), elsewhere.as_os_str().as_bytes())?;
    Ok(elsewhere)
}

/// Makes a data directory, for its owner alone. Where the server has an account of its own, that one passes through, and
/// can read nothing there but its own.
pub fn make_data_dir(data_dir: &Path) -> Result<()> {
    make(data_dir, if is_root() { 0o711 } else { 0o700 })
}

/// The folder of the cluster of `data_dir`, if it was ever made.
pub(super) fn existing(data_dir: &Path) -> Option<PathBuf> {
    let data_dir = fs::canonicalize(data_dir).ok()?;
    recorded(&data_dir).ok()?.or_else(|| Some(data_dir.join(HERE)))
}

/// Removes the cluster of `data_dir`, wherever it lies; refuses while its server runs.
pub(super) fn remove(data_dir: &Path) -> Result<()> {
    if !data_dir.is_dir() {
        return Ok(());
    }
    let data_dir = fs::canonicalize(data_dir)?;
    for folder in [Some(data_dir.join(HERE)), recorded(&data_dir)?].into_iter().flatten() {
        remove_folder(&folder)?;
    }
    match fs::remove_file(data_dir.join(ELSEWHERE)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// A new folder that the server's account owns, and can get to: in `preferred` if it can get there.
pub fn temporary_folder(preferred: &Path, account: Option<&Account>) -> Result<TempDir> {
    for parent in [preferred, Path::new("/tmp"), Path::new("/var/tmp")] {
        let Ok(folder) = tempfile::Builder::new().prefix("tally-").tempdir_in(parent) else {
            continue;
        };
        let Some(account) = account else {
            return Ok(folder);
        };
        account.give(folder.path())?;
        if account.can_use(folder.path()) {
            return Ok(folder);
        }
    }
    bail!("no temporary folder can be used for a database: set TMPDIR")
}

fn recorded(data_dir: &Path) -> Result<Option<PathBuf>> {
    match fs::read_to_string(data_dir.join(ELSEWHERE)) {
        Ok(path) => Ok(Some(PathBuf::from(path.trim()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("cannot read where the database lies"),
    }
}

fn make_elsewhere(data_dir: &Path, account: &Account) -> Result<PathBuf> {
    let name = elsewhere_name(data_dir);
    for parent in SHARED_FOLDERS.map(Path::new) {
        let folder = parent.join(&name);
        // Nothing here points to it: it is left of a data directory that somebody removed.
        if folder.symlink_metadata().is_ok() {
            remove_folder(&folder)?;
        }
        if DirBuilder::new().mode(0o700).create(&folder).is_err() {
            continue;
        }
        account.give(&folder)?;
        if account.can_use(&folder) {
            return Ok(folder);
        }
        fs::remove_dir(&folder)?;
    }
    bail!("the server's account cannot get to {}, nor to {}", data_dir.display(), SHARED_FOLDERS.join(" or "))
}

fn elsewhere_name(data_dir: &Path) -> String {
    let hash = Sha256::digest(data_dir.as_os_str().as_bytes());
    let hex: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("tallyhouse-{hex}")
}

fn own(folder: &Path, account: &Account) -> Result<()> {
    let metadata = match folder.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make_private(folder)?;
            return account.give(folder);
        }
        Err(error) => return Err(error.into()),
    };
    ensure!(
        metadata.is_dir() && metadata.uid() == account.uid(),
        "{} is not the database's own folder",
        folder.display()
    );
    Ok(())
}

fn make_private(folder: &Path) -> Result<()> {
    make(folder, 0o700)
}

fn make(folder: &Path, mode: u32) -> Result<()> {
    DirBuilder::new()
        .mode(mode)
        .recursive(true)
        .create(folder)
        .with_context(|| format!("cannot make {}", folder.display()))
}

fn remove_folder(folder: &Path) -> Result<()> {
    if let Some(server) = postmaster::running(&folder.join(postmaster::DATA))? {
        bail!("a database server (pid {}) runs in {}: stop it first", server.pid, folder.display());
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_data_directory_has_a_name_of_its_own() {
        let name = elsewhere_name(Path::new("/home/one/.tally"));
        assert_eq!(name, elsewhere_name(Path::new("/home/one/.tally")));
        assert_ne!(name, elsewhere_name(Path::new("/home/two/.tally")));
        assert_eq!(name.len(), "tallyhouse-".len() + 16);
    }

    #[test]
    fn without_another_account_it_lies_in_the_data_directory() {
        let folder = tempfile::tempdir().unwrap();
        let place = find_or_make(&folder.path().join("data"), None).unwrap();
        assert!(place.ends_with("data/postgres"));
        remove(&folder.path().join("data")).unwrap();
        assert!(!place.exists());
        remove(&folder.path().join("never made")).unwrap();
    }
}
