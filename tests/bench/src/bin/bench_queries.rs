//! The command `bench-queries`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tally_bench::queries::main()
}
