//! The command `tally`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tally_host::cli::main()
}
