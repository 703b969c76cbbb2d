//! The SQL is part of the library: a file that comes or goes must build it anew.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../sql");
}
