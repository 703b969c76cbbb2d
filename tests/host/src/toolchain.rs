//! Decides how wasm32-wasip2 is built on this machine; nothing else in the project knows.
//!
//! 1. The target is installed for the active compiler.
//! 2. `rustup target add` installs it.
//! 3. On Debian, its packages build the standard library for the target: their compiler, rustup's cargo and linker.
//!
//! What the third way needs goes to the one cargo that is spawned for it, and into no file.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::packages;
use crate::process::{self, capture, run_bounded};
use crate::progress::say;

/// The target that components are built for.
pub const TARGET: &str = "wasm32-wasip2";

const RUSTUP_LIMIT: Duration = Duration::from_secs(180);
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CLIPPY: &str = "/usr/bin/cargo-clippy";
const DEBIAN_STD: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";
const DEBIAN_WASI_LIBC: &str = "/usr/lib/wasm32-wasi";
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "rust-web-src", "wasi-libc", "rust-web-clippy"];

/// How wasm32-wasip2 is built here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Toolchain {
    /// The active toolchain has the target.
    Plain,
    /// Debian's compiler builds the standard library; rustup's toolchain links.
    Debian {
        /// `RUSTFLAGS` for the target.
        flags: String,
    },
}

/// What `rustc -vV` tells, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Compiler {
    /// The first line, which names the version in full.
    line: String,
    release: (u32, u32),
    host: String,
}

impl Compiler {
    fn parse(text: &str) -> Result<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let release = field("release:").context("rustc -vV names no release")?;
        Ok(Self {
            line: text.lines().next().unwrap_or_default().trim().to_owned(),
            release: parse_release(release).with_context(|| format!("rustc's release {release:?}"))?,
            host: field("host:").context("rustc -vV names no host")?.to_owned(),
        })
    }

    fn ask(rustc: &str) -> Result<Self> {
        Self::parse(&capture(scrub(Command::new(rustc)).arg("-vV"))?)
    }
}

fn parse_release(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

impl Toolchain {
    /// Finds a way to build the target, installing what is missing; says in one line what it chose.
    ///
    /// `target_dir` is where cargo builds: what did not work is remembered there.
    pub fn find(target_dir: &Path) -> Result<Self> {
        let compiler = Compiler::ask("rustc").context("no rustc: see https://rustup.rs")?;
        let sysroot = sysroot()?;
        if has_target(&sysroot) {
            say(format!("toolchain: {}, which has {TARGET}", compiler.line));
            return Ok(Self::Plain);
        }
        let stamp = Stamp::new(target_dir, &compiler);
        let reason = match stamp.remembered() {
            Some(reason) => format!("{reason} (as {} remembers; remove it to try again)", stamp.file.display()),
            None => match add_target(&sysroot) {
                Ok(()) => {
                    say(format!("toolchain: {}, to which rustup added {TARGET}", compiler.line));
                    return Ok(Self::Plain);
                }
                Err(error) => format!("{error:#}"),
            },
        };
        if !packages::is_debian() {
            bail!("{reason}. Install the target by hand, `rustup target add {TARGET}`, and try again");
        }
        let toolchain = debian(&compiler, &sysroot).with_context(|| reason.clone())?;
        stamp.remember(&reason)?;
        say(format!("toolchain: Debian's compiler and standard library, since {reason}"));
        Ok(toolchain)
    }

    /// A cargo for the target: verb and arguments follow.
    pub fn cargo(&self, verb: &str) -> Command {
        let mut command = scrub(Command::new(cargo()));
        command.arg(verb);
        self.prepare(&mut command);
        command
    }

    /// A `cargo clippy` that matches the compiler.
    pub fn clippy(&self) -> Command {
        match self {
            Self::Plain => self.cargo("clippy"),
            Self::Debian { .. } => {
                let mut command = scrub(Command::new(DEBIAN_CLIPPY));
                command.arg("clippy").env("CARGO", cargo());
                self.prepare(&mut command);
                command
            }
        }
    }

    fn prepare(&self, command: &mut Command) {
        if let Self::Debian { flags } = self {
            command
                .args(["-Z", "build-std=std,panic_abort"])
                .env("RUSTC", DEBIAN_RUSTC)
                // `-Z build-std` is unstable, and has to be unlocked for cargo and for the compiler.
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", flags);
        }
        command.args(["--target", TARGET]);
    }
}

/// The cargo to spawn: the one that runs us, if one does.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Takes out of a command's environment what a cargo around us has set, and what would change the outcome of a build.
pub fn scrub(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(leaks) {
            command.env_remove(name);
        }
    }
    command
}

fn leaks(name: &str) -> bool {
    const KEPT: [&str; 7] = [
        "CARGO_HOME",
        "CARGO_TERM_",
        "CARGO_NET_",
        "CARGO_HTTP_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
        "CARGO_BUILD_JOBS",
    ];
    const DROPPED: [&str; 7] =
        ["RUSTC", "RUSTDOC", "RUSTFLAGS", "RUSTDOCFLAGS", "CLIPPY_ARGS", "OUT_DIR", "LLVM_PROFILE_FILE"];
    if name.starts_with("CARGO_") {
        return !KEPT.iter().any(|kept| name.starts_with(kept));
    }
    name == "CARGO" || DROPPED.contains(&name) || name.starts_with("RUSTC_")
}

fn sysroot() -> Result<PathBuf> {
    Ok(capture(scrub(Command::new("rustc")).args(["--print", "sysroot"]))?.trim().into())
}

fn has_target(sysroot: &Path) -> bool {
    let library = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    fs::read_dir(library).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libstd-") && name.ends_with(".rlib")
        })
    })
}

fn add_target(sysroot: &Path) -> Result<()> {
    ensure!(
        process::find_on_path("rustup").is_some(),
        "the compiler in {} lacks {TARGET} and there is no rustup to add it",
        sysroot.display()
    );
    say(format!("toolchain: rustup target add {TARGET}"));
    let finished = run_bounded(scrub(Command::new("rustup")).args(["target", "add", TARGET]), RUSTUP_LIMIT)?;
    match finished.status {
        Some(status) if status.success() && has_target(sysroot) => Ok(()),
        Some(_) => bail!("rustup cannot add {TARGET}: {}", finished.complaint()),
        None => bail!("rustup could not add {TARGET} within {} s", RUSTUP_LIMIT.as_secs()),
    }
}

fn debian(compiler: &Compiler, sysroot: &Path) -> Result<Toolchain> {
    let linkers = sysroot.join("lib/rustlib").join(&compiler.host).join("bin");
    let (component_ld, wasm_ld) = (linkers.join("wasm-component-ld"), linkers.join("gcc-ld/wasm-ld"));
    ensure!(
        component_ld.is_file() && wasm_ld.is_file(),
        "Debian's compiler could build for {TARGET}, but rustup's toolchain in {} has no linker for it",
        sysroot.display()
    );
    if !debian_is_complete() {
        packages::install(&format!("no {TARGET}, and Debian's Rust for it is not installed"), &DEBIAN_PACKAGES)?;
        ensure!(
            debian_is_complete(),
            "{} are installed and yet do not hold what they should",
            DEBIAN_PACKAGES.join(", ")
        );
    }
    Ok(Toolchain::Debian { flags: debian_flags(&component_ld, &wasm_ld) })
}

fn debian_is_complete() -> bool {
    let minimum = parse_release(env!("CARGO_PKG_RUST_VERSION"));
    let is_new_enough = Compiler::ask(DEBIAN_RUSTC).is_ok_and(|compiler| Some(compiler.release) >= minimum);
    // The source must be the compiler's own, which the packages see to; rustup's may stand first on PATH only.
    is_new_enough
        && [DEBIAN_STD, DEBIAN_CLIPPY].iter().all(|file| Path::new(file).is_file())
        && Path::new(DEBIAN_WASI_LIBC).join("libc.a").is_file()
}

fn debian_flags(component_ld: &Path, wasm_ld: &Path) -> String {
    [
        format!("-Clinker={}", component_ld.display()),
        format!("-Clink-arg=--wasm-ld-path={}", wasm_ld.display()),
        "-Clink-self-contained=no".to_owned(),
        format!("-L{DEBIAN_WASI_LIBC}"),
        format!("-Clink-arg={DEBIAN_WASI_LIBC}/crt1-reactor.o"),
        "-Clink-arg=-lc".to_owned(),
    ]
    .join(" ")
}

/// Remembers that rustup could not add the target to this compiler: asking again costs seconds each time.
struct Stamp {
    file: PathBuf,
    compiler: String,
}

impl Stamp {
    fn new(target_dir: &Path, compiler: &Compiler) -> Self {
        Self { file: target_dir.join("tally-toolchain.txt"), compiler: compiler.line.clone() }
    }

    fn remembered(&self) -> Option<String> {
        let text = fs::read_to_string(&self.file).ok()?;
        let (compiler, reason) = text.split_once('\n')?;
        (compiler == self.compiler).then(|| reason.trim().to_owned())
    }

    fn remember(&self, reason: &str) -> Result<()> {
        if self.remembered().is_some() {
            return Ok(());
        }
        fs::create_dir_all(self.file.parent().unwrap_or(Path::new(".")))?;
        fs::write(&self.file, format!("{}\n{reason}\n", self.compiler))
            .with_context(|| format!("cannot write {}", self.file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUSTC: &str =
        "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n";

    #[test]
    fn reads_the_compiler() {
        let compiler = Compiler::parse(RUSTC).unwrap();
        assert_eq!(compiler.line, "rustc 1.95.0 (59807616e 2026-04-14)");
        assert_eq!(compiler.release, (1, 95));
        assert_eq!(compiler.host, "x86_64-unknown-linux-gnu");
        assert!(Compiler::parse("rustc").is_err());
    }

    #[test]
    fn reads_releases() {
        assert_eq!(parse_release("1.96.0-nightly"), Some((1, 96)));
        assert_eq!(parse_release("1.95"), Some((1, 95)));
        assert_eq!(parse_release("stable"), None);
    }

    #[test]
    fn a_stamp_is_for_one_compiler() {
        let folder = tempfile::tempdir().unwrap();
        let compiler = Compiler::parse(RUSTC).unwrap();
        let stamp = Stamp::new(folder.path(), &compiler);
        assert_eq!(stamp.remembered(), None);
        stamp.remember("no network").unwrap();
        assert_eq!(stamp.remembered().as_deref(), Some("no network"));
        let newer = Compiler::parse(&RUSTC.replace("1.95", "1.96")).unwrap();
        assert_eq!(Stamp::new(folder.path(), &newer).remembered(), None);
    }

    #[test]
    fn what_the_outer_cargo_set_does_not_leak() {
        for name in [
            "CARGO",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "CARGO_PKG_NAME",
            "CARGO_MANIFEST_DIR",
            "RUSTC",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTC_BOOTSTRAP",
            "RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_MAKEFLAGS",
        ] {
            assert!(leaks(name), "{name}");
        }
        for name in
            ["CARGO_HOME", "CARGO_TERM_COLOR", "CARGO_NET_OFFLINE", "RUSTUP_TOOLCHAIN", "PATH", "RUST_BACKTRACE"]
        {
            assert!(!leaks(name), "{name}");
        }
    }

    #[test]
    fn the_fallback_stays_in_its_own_cargo() {
        let plain = Toolchain::Plain.cargo("build");
        assert!(plain.get_envs().all(|(name, value)| value.is_none() || name != "RUSTC"));
        let debian = Toolchain::Debian { flags: "-Lhere".to_owned() }.cargo("build");
        let arguments: Vec<_> = debian.get_args().collect();
        assert_eq!(arguments, ["build", "-Z", "build-std=std,panic_abort", "--target", TARGET]);
        let set: Vec<_> =
            debian.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?))).collect();
        assert!(set.contains(&("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", "-Lhere")));
        assert!(set.contains(&("RUSTC", DEBIAN_RUSTC)));
    }

    #[test]
    fn a_target_is_a_standard_library() {
        let sysroot = tempfile::tempdir().unwrap();
        assert!(!has_target(sysroot.path()));
        let library = sysroot.path().join("lib/rustlib").join(TARGET).join("lib");
        fs::create_dir_all(&library).unwrap();
        assert!(!has_target(sysroot.path()));
        fs::write(library.join("libstd-0123.rlib"), "").unwrap();
        assert!(has_target(sysroot.path()));
    }
}
