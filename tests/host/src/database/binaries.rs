//! Finds the server's programs.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::packages;
use crate::process::{capture, find_on_path};

/// The major versions that the schema is written for.
pub const SUPPORTED: RangeInclusive<u32> = 15..=18;

/// Where packagers put the programs of one version, version folders being `*`.
const PACKAGED: [(&str, &str); 4] = [
    ("/usr/lib/postgresql", "bin"), // Debian
    ("/usr", "bin"),                // PGDG's rpms: /usr/pgsql-17/bin
    ("/opt/homebrew/opt", "bin"),   // Homebrew
    ("/usr/local/opt", "bin"),
];

/// The programs of one version of Postgres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// Their folder.
    pub folder: PathBuf,
    /// The major version.
    pub major: u32,
}

impl Binaries {
    /// The path of a program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder of the extensions' control files and scripts.
    pub fn extensions(&self) -> Result<PathBuf> {
        // Debian's pg_config asks perl's wrapper on PATH; the one beside the server knows its own folders.
        let config = self.program("pg_config");
        let share = if config.is_file() {
            PathBuf::from(capture(Command::new(config).arg("--sharedir"))?.trim())
        } else {
            Path::new("/usr/share/postgresql").join(self.major.to_string())
        };
        Ok(share.join("extension"))
    }

    /// The programs in a folder, if it holds a server's.
    pub fn in_folder(folder: &Path) -> Option<Self> {
        if !folder.join("initdb").is_file() {
            return None;
        }
        let version = capture(Command::new(folder.join("postgres")).arg("--version")).ok()?;
        Some(Self { folder: folder.to_owned(), major: parse_major(&version)? })
    }
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, and `18beta1` too.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    number.split(|char: char| !char.is_ascii_digit()).next()?.parse().ok()
}

/// The programs on PATH if they are of a supported version, else the newest supported ones found.
///
/// `major` asks for one version: that of a data directory that exists. Installs Postgres where that can be done without
/// asking.
pub fn find_or_install(major: Option<u32>) -> Result<Binaries> {
    if let Some(binaries) = choose(&found(), major) {
        return Ok(binaries);
    }
    if let Some(major) = major {
        bail!(
            "the data directory is of Postgres {major}, whose programs are not found; install them or start anew with --fresh"
        );
    }
    let missing = format!("Postgres {} to {} is not found (initdb, postgres)", SUPPORTED.start(), SUPPORTED.end());
    packages::install(&missing, &["postgresql"])?;
    choose(&found(), None).context("the package postgresql is installed, and still no supported Postgres is found")
}

/// Installs the extension pgTAP for these programs, unless it is there.
pub fn install_pgtap(binaries: &Binaries) -> Result<()> {
    if has_extension(binaries, "pgtap")? {
        return Ok(());
    }
    let package = format!("postgresql-{}-pgtap", binaries.major);
    packages::install(&format!("the extension pgTAP for Postgres {} is not installed", binaries.major), &[&package])?;
    ensure!(
        has_extension(binaries, "pgtap")?,
        "{package} is installed, and {} does not see it",
        binaries.folder.display()
    );
    Ok(())
}

fn has_extension(binaries: &Binaries, name: &str) -> Result<bool> {
    Ok(binaries.extensions()?.join(format!("{name}.control")).is_file())
}

/// All programs found, those on PATH first.
fn found() -> Vec<Binaries> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for program in ["postgres", "initdb"] {
        folders
            .extend(find_on_path(program).and_then(|file| fs::canonicalize(file).ok()?.parent().map(Path::to_owned)));
    }
    let on_path = folders.len();
    if let Ok(folder) = capture(Command::new("pg_config").arg("--bindir")) {
        folders.push(folder.trim().into());
    }
    for (parent, child) in PACKAGED {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        folders.extend(
            entries
                .filter(|entry| is_versioned(&entry.file_name().to_string_lossy()))
                .map(|entry| entry.path().join(child)),
        );
    }
    let mut binaries: Vec<(bool, Binaries)> = folders
        .iter()
        .enumerate()
        .filter_map(|(index, folder)| Some((index < on_path, Binaries::in_folder(folder)?)))
        .collect();
    binaries.sort_by_key(|(on_path, binaries)| (!on_path, u32::MAX - binaries.major));
    binaries.into_iter().map(|(_, binaries)| binaries).collect()
}

/// `17`, `pgsql-17`, `postgresql@17`, `postgresql`.
fn is_versioned(name: &str) -> bool {
    let rest = name.strip_prefix("pgsql-").or_else(|| name.strip_prefix("postgresql")).unwrap_or(name);
    rest.trim_start_matches('@').chars().all(|char| char.is_ascii_digit())
}

fn choose(found: &[Binaries], major: Option<u32>) -> Option<Binaries> {
    found
        .iter()
        .find(|binaries| SUPPORTED.contains(&binaries.major) && major.is_none_or(|major| major == binaries.major))
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binaries(folder: &str, major: u32) -> Binaries {
        Binaries { folder: folder.into(), major }
    }

    #[test]
    fn reads_versions() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_major("something else 15"), None);
    }

    #[test]
    fn knows_versioned_folders() {
        for name in ["17", "pgsql-17", "postgresql@17", "postgresql"] {
            assert!(is_versioned(name), "{name}");
        }
        for name in ["share", "postgresql-common", "pgsql-old"] {
            assert!(!is_versioned(name), "{name}");
        }
    }

    #[test]
    fn takes_the_first_supported_one() {
        let found = [binaries("/path", 14), binaries("/19", 19), binaries("/17", 17), binaries("/15", 15)];
        assert_eq!(choose(&found, None), Some(binaries("/17", 17)));
        assert_eq!(choose(&found, Some(15)), Some(binaries("/15", 15)));
        assert_eq!(choose(&found, Some(16)), None);
        assert_eq!(choose(&found[..2], None), None);
    }
}
