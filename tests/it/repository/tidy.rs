//! What every file of its kind has.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::harness::repository;

/// What cargo and the tools made, and what others wrote.
const SKIPPED: [&str; 5] = [".git", ".spin", ".tally", "node_modules", "target"];

fn files(extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(repository(), extension, &mut found)?;
    assert!(!found.is_empty(), "no {extension} file found");
    Ok(found)
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let (entry, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        let name = entry.file_name().unwrap_or_default();
        if kind.is_dir() && !SKIPPED.iter().any(|skipped| name == *skipped) {
            collect(&entry, extension, found)?;
        } else if kind.is_file() && entry.extension().is_some_and(|found| found == extension) {
            found.push(entry);
        }
    }
    Ok(())
}

/// The files that break a rule.
fn breaking(files: &[PathBuf], keeps: impl Fn(&str) -> bool) -> Result<Vec<&Path>> {
    let mut breaking = Vec::new();
    for file in files {
        if !keeps(&fs::read_to_string(file)?) {
            breaking.push(file.strip_prefix(repository())?);
        }
    }
    Ok(breaking)
}

#[test]
fn every_rust_file_says_what_it_is() -> Result<()> {
    let files = files("rs")?;
    let silent = breaking(&files, |text| text.starts_with("//! ") || text.starts_with("#![doc = include_str!("))?;
    assert!(silent.is_empty(), "these do not open with //!: {silent:#?}");
    Ok(())
}

#[test]
fn every_sql_file_says_what_it_is() -> Result<()> {
    let files = files("sql")?;
    let silent = breaking(&files, |text| text.starts_with("-- "))?;
    assert!(silent.is_empty(), "these do not open with a comment: {silent:#?}");
    Ok(())
}

#[test]
fn every_member_follows_the_workspace() -> Result<()> {
    let members = files("toml")?.into_iter().filter(|file| file.ends_with("Cargo.toml"));
    let mut odd = Vec::new();
    for file in members.filter(|file| file.parent() != Some(repository())) {
        let manifest: toml::Table = fs::read_to_string(&file)?.parse()?;
        let name = file.strip_prefix(repository())?.display().to_string();
        if !follows(manifest.get("lints")) {
            odd.push(format!("{name}: [lints] workspace = true"));
        }
        odd.extend(own_dependencies(&manifest).into_iter().map(|dependency| format!("{name}: {dependency}")));
    }
    assert!(odd.is_empty(), "these go their own way: {odd:#?}");
    Ok(())
}

fn follows(value: Option<&toml::Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
}

/// The dependencies that do not come from the workspace.
fn own_dependencies(manifest: &toml::Table) -> Vec<String> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let tables = targets.into_iter().flatten().filter_map(|(_, target)| target.as_table()).chain([manifest]);
    let mut own = Vec::new();
    for table in tables {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let dependencies = table.get(kind).and_then(toml::Value::as_table).into_iter().flatten();
            own.extend(dependencies.filter(|(_, value)| !follows(Some(value))).map(|(name, _)| name.clone()));
        }
    }
    own
}

#[test]
fn a_dependency_of_its_own_is_noticed() {
    let text =
        "[dependencies]\na.workspace = true\nb = \"1\"\n[target.'cfg(unix)'.dev-dependencies]\nc = { path = \"c\" }\n";
    let mut own = own_dependencies(&text.parse().unwrap());
    own.sort();
    assert_eq!(own, ["b", "c"]);
}
