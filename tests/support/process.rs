//! Starts processes that do not outlive the test program, sends them signals, and gives them
//! terminals.
//!
//! Linux sends a process its death signal when the *thread* that started it ends. That thread must
//! live as long as the program, so it is not the test's but `LAUNCHER`.

use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
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

/// Opens a terminal of 24 lines and 100 columns: the end of the person before it, and the end of
/// the program.
pub fn terminal() -> io::Result<(File, File)> {
    let (mut person, mut program) = (-1, -1);
    let size = libc::winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    let (name, settings) = (std::ptr::null_mut(), std::ptr::null());
    #[expect(unsafe_code, reason = "the standard library opens no terminals")]
    // SAFETY: openpty(3) writes the two numbers and reads `size`, all of which live longer than the
    // call. It may be given no name and no settings.
    let result = unsafe {
        libc::openpty(&raw mut person, &raw mut program, name, settings, &raw const size)
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    #[expect(unsafe_code, reason = "the numbers become files that close themselves")]
    // SAFETY: both descriptors were opened by the call above and belong to nobody else.
    let ends = unsafe { [person, program].map(|number| OwnedFd::from_raw_fd(number)) };
    Ok(<(File, File)>::from(ends.map(File::from)))
}

/// Sends a signal, such as `libc::SIGTERM`, to a child that was not waited for yet.
pub fn signal(process: &Child, signal: libc::c_int) {
    let id = libc::pid_t::try_from(process.id()).expect("process ids fit");
    #[expect(unsafe_code, reason = "the standard library sends no signal but SIGKILL")]
    // SAFETY: kill(2) touches no memory. Until it is waited for, the id stays the child's own.
    let result = unsafe { libc::kill(id, signal) };
    assert_eq!(result, 0, "signal {signal}: {}", io::Error::last_os_error());
}
