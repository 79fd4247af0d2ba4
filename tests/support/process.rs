//! Starts processes that do not outlive the test program, and sends them signals.
//!
//! Linux sends a process its death signal when the *thread* that started it ends. That thread must
//! live as long as the program, so it is not the test's but `LAUNCHER`.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::mpsc::{self, Sender};

type Launch = (Command, Sender<io::Result<Child>>);

/// The thread that starts all children of this program and ends with it.
#[expect(
    clippy::disallowed_methods,
    reason = "a child's death signal follows the thread that started it"
)]
static LAUNCHER: LazyLock<Sender<Launch>> = LazyLock::new(|| {
    let (sender, launches) = mpsc::channel::<Launch>();
    std::thread::spawn(move || {
        for (mut command, reply) in launches {
            // The test waits for the reply, so it is there.
            let _ = reply.send(command.spawn());
        }
    });
    sender
});

/// Starts a command whose process is killed when this program ends, however it ends.
pub fn spawn(mut command: Command) -> io::Result<Child> {
    let parent = std::process::id();
    #[expect(unsafe_code, reason = "only the child itself can ask for its death signal")]
    // SAFETY: between fork and exec the closure makes three system calls and neither allocates nor
    // locks.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            // The program may have died before the line above: then no signal will come.
            if u32::try_from(libc::getppid()) != Ok(parent) {
                libc::_exit(1);
            }
            Ok(())
        });
    }
    let (reply, child) = mpsc::channel();
    LAUNCHER.send((command, reply)).expect("the thread lives as long as the program");
    child.recv().expect("the thread answers every launch")
}

/// Sends a signal, such as `libc::SIGTERM`, to a child that was not waited for yet.
pub fn signal(process: &Child, signal: libc::c_int) {
    let id = libc::pid_t::try_from(process.id()).expect("process ids fit");
    #[expect(unsafe_code, reason = "the standard library sends no signal but SIGKILL")]
    // SAFETY: kill(2) touches no memory. Until it is waited for, the id stays the child's own.
    let result = unsafe { libc::kill(id, signal) };
    assert_eq!(result, 0, "signal {signal}: {}", io::Error::last_os_error());
}
