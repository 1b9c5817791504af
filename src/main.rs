//! The command line.

use std::process::ExitCode;

/// A request allocates many small things on one thread and frees them on another; this allocator is made for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    rollbook::cli::main()
}
