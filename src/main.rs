//! odrwatch's program: arguments -> command -> exit code. All else is in the library.
//!
//! Invariant: whatever goes wrong is told once, on the standard error stream, and ends with a code
//! of its own; a panic is a broken invariant and ends with 70.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use odrwatch::commands::args::Cli;
use odrwatch::commands::exit::ExitCode as Code;
use odrwatch::commands::{dispatch, tell};

/// Many small, long-lived allocations of a few sizes: see docs/adr/0012-jemalloc.md.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = match Cli::from_line(std::env::args_os()) {
        Ok(cli) => cli,
        Err(code) => return code.into(),
    };
    // Nothing that the command held is used after a panic: the process ends.
    match catch_unwind(AssertUnwindSafe(|| dispatch(&cli))) {
        Ok(Ok(())) => Code::Ok.into(),
        Ok(Err(failure)) => {
            tell(&failure);
            failure.code().into()
        }
        Err(_) => Code::Software.into(),
    }
}
