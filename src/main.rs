//! The perchd program.

use std::process::ExitCode;

fn main() -> ExitCode {
    perchd::cli::main()
}
