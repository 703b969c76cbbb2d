//! Where the bundle and its data are.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::PlaceArgs;

const MANIFEST: &str = "spin.toml";
const DATA_DIR: &str = ".tally";

/// Where the bundle and its data are.
#[derive(Debug)]
pub(super) struct Place {
    manifest: Option<PathBuf>,
    data_dir: PathBuf,
    is_usual: bool,
}

impl Place {
    pub(super) fn find(args: PlaceArgs) -> Result<Self> {
        let here = std::env::current_dir()?;
        let manifest = args.manifest.map(std::path::absolute).transpose()?.or_else(|| nearest(&here));
        let beside = manifest.as_deref().and_then(Path::parent).unwrap_or(&here).join(DATA_DIR);
        let is_usual = args.data_dir.is_none();
        let data_dir = args.data_dir.map_or(Ok(beside), std::path::absolute)?;
        Ok(Self { manifest, data_dir, is_usual })
    }

    pub(super) fn manifest(&self) -> Result<&Path> {
        self.manifest.as_deref().with_context(|| format!("no {MANIFEST} here or above: use --manifest"))
    }

    /// Where cargo builds, and where compiled components are kept.
    pub(super) fn target_dir(&self) -> Result<PathBuf> {
        Ok(self.manifest()?.with_file_name("target"))
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// How this command is called again for the same data, as a person would type it.
    pub(super) fn command(&self) -> String {
        let command = if std::env::var_os("CARGO").is_some() { "cargo tally" } else { "tally" };
        if self.is_usual {
            return command.to_owned();
        }
        format!("{command} --data-dir '{}'", self.data_dir.display())
    }
}

fn nearest(here: &Path) -> Option<PathBuf> {
    here.ancestors().map(|folder| folder.join(MANIFEST)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_manifest_counts() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(folder.path().join(MANIFEST), "").unwrap();
        assert_eq!(nearest(&inner), Some(folder.path().join(MANIFEST)));
    }
}
