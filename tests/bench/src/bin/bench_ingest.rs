//! The command `bench-ingest`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tally_bench::cli::main()
}
