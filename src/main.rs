//! The command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    rollbook::cli::main()
}
