//! Builds the components of manifests as their build commands say, all in one cargo, and lints them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::process::capture;
use crate::spin::manifest::{Component, Manifest};
use crate::toolchain::{TARGET, Toolchain, cargo, scrub};

/// Builds the components of all the manifests; cargo's own progress shows on stderr.
///
/// Build commands must be `cargo build --target wasm32-wasip2 --release -p <package>`: the toolchain that the machine
/// needs goes around them.
pub async fn build(manifests: &[&Manifest]) -> Result<()> {
    let work = Work::of(manifests)?;
    let toolchain = work.toolchain().await?;
    let mut command = toolchain.cargo("build");
    work.finish(&mut command, &["--release"]);
    run(command).await?;
    for component in manifests.iter().flat_map(|manifest| manifest.components()) {
        ensure!(
            component.source.is_file(),
            "component {} was built, but its source {} is not there",
            component.id,
            component.source.display()
        );
    }
    Ok(())
}

/// Lints the packages of the components of all the manifests, on their target, warnings being errors.
pub async fn clippy(manifests: &[&Manifest]) -> Result<()> {
    let work = Work::of(manifests)?;
    let toolchain = work.toolchain().await?;
    let mut command = toolchain.clippy();
    work.finish(&mut command, &["--release"]);
    command.args(["--", "-D", "warnings"]);
    run(command).await
}

/// What cargo has to do.
#[derive(Debug)]
struct Work {
    workspace: PathBuf,
    packages: Vec<String>,
}

impl Work {
    fn of(manifests: &[&Manifest]) -> Result<Self> {
        let mut workspace: Option<PathBuf> = None;
        let mut packages = Vec::new();
        for component in manifests.iter().flat_map(|manifest| manifest.components()) {
            let Some(build) = &component.build else {
                continue;
            };
            let root = workspace_root(&build.workdir)?;
            if let Some(other) = workspace.replace(root.clone())
                && other != root
            {
                bail!("components are built in two workspaces, {} and {}", other.display(), root.display());
            }
            packages.extend(packages_of(component, &build.commands)?);
        }
        packages.sort();
        packages.dedup();
        Ok(Self { workspace: workspace.context("no component says how it is built")?, packages })
    }

    fn target_dir(&self) -> PathBuf {
        self.workspace.join("target")
    }

    /// Looking for the toolchain may install it, which takes its time.
    async fn toolchain(&self) -> Result<Toolchain> {
        let target_dir = self.target_dir();
        tokio::task::spawn_blocking(move || Toolchain::find(&target_dir)).await?
    }

    fn finish(&self, command: &mut Command, arguments: &[&str]) {
        command.args(arguments).arg("--target-dir").arg(self.target_dir()).current_dir(&self.workspace);
        for package in &self.packages {
            command.args(["-p", package]);
        }
    }
}

fn workspace_root(folder: &Path) -> Result<PathBuf> {
    let mut command = scrub(Command::new(cargo()));
    let file =
        capture(command.args(["locate-project", "--workspace", "--message-format", "plain"]).current_dir(folder))?;
    let file = PathBuf::from(file.trim());
    Ok(file.parent().context("cargo names no workspace")?.to_owned())
}

fn packages_of(component: &Component, commands: &[String]) -> Result<Vec<String>> {
    commands
        .iter()
        .map(|command| {
            package_of(command).with_context(|| {
                format!(
                    "component.{}.build.command is {command:?}; only `cargo build --target {TARGET} --release -p <package>` can be built here",
                    component.id
                )
            })
        })
        .collect()
}

fn package_of(command: &str) -> Option<String> {
    let words: Vec<&str> = command.split_ascii_whitespace().collect();
    match words.as_slice() {
        ["cargo", "build", "--target", TARGET, "--release", "-p", package] if is_package(package) => {
            Some((*package).to_owned())
        }
        _ => None,
    }
}

fn is_package(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '-' || char == '_')
}

async fn run(command: Command) -> Result<()> {
    let mut command = tokio::process::Command::from(command);
    let status = command.kill_on_drop(true).status().await.context("cannot run cargo")?;
    ensure!(status.success(), "cargo failed: {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_one_form_of_build_command() {
        assert_eq!(
            package_of("cargo build --target wasm32-wasip2 --release -p tally-query").as_deref(),
            Some("tally-query")
        );
        for other in [
            "cargo build --target wasm32-wasip1 --release -p tally-query",
            "cargo build --target wasm32-wasip2 -p tally-query",
            "cargo build --target wasm32-wasip2 --release -p tally-query --features x",
            "cargo build --target wasm32-wasip2 --release -p tally-query; rm -r /",
            "cargo build --target wasm32-wasip2 --release -p $(x)",
            "make",
        ] {
            assert_eq!(package_of(other), None, "{other}");
        }
    }

    #[test]
    fn names_the_component_whose_command_is_of_another_form() {
        let text = r#"
            spin_manifest_version = 2
            application.name = "one"
            trigger.http = [{ route = "/", component = "odd" }]
            component.odd.source = "odd.wasm"
            component.odd.build.command = "make"
        "#;
        let manifest = Manifest::parse(text, Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let error = format!("{:#}", Work::of(&[&manifest]).unwrap_err());
        assert!(error.contains("component.odd.build.command"), "{error}");
    }
}
