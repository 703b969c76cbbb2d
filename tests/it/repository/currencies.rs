//! The table of currencies is that of Debian's iso-codes, which the PyPI package `pycountry` carries.

use std::fs;
use std::io::{Write as _, stderr};
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use tally_core::events::CURRENCIES;

use crate::harness::repository;

#[test]
fn currencies_are_those_of_an_outside_list() -> Result<()> {
    let pip = Command::new("python3").args(["-m", "pip", "--version"]).output();
    if !pip.is_ok_and(|output| output.status.success()) {
        // Past the test harness, which shows nothing of tests that pass.
        writeln!(stderr(), "passed over: this machine has no python3 with pip, for an outside list of currencies")?;
        return Ok(());
    }
    let requirements = repository().join("tests/currencies/requirements.txt");
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("currencies").join(fs::read_to_string(&requirements)?.trim());
    if !folder.join("pycountry").exists() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"]);
        let output = pip.arg(&folder).arg("--requirement").arg(&requirements).output()?;
        ensure!(output.status.success(), "pip: {}", String::from_utf8_lossy(&output.stderr));
    }
    let print = "import pycountry; print('\\n'.join(sorted(c.alpha_3 for c in pycountry.currencies)))";
    let output = Command::new("python3").args(["-c", print]).env("PYTHONPATH", folder).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout)?;
    assert_eq!(listed.lines().collect::<Vec<_>>(), CURRENCIES);
    Ok(())
}
