//! The perchd program.

use std::process::ExitCode;

/// What a static program's C library has for a heap rounds each block up to a power of two.
#[cfg(target_env = "musl")]
#[global_allocator]
static HEAP: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    perchd::cli::main()
}
