//! Owns the ports and the directory of one test broker.
//!
//! A slot is a number; its lock is held as long as the broker lives, so two test programs never
//! share one, and the directory of a program that was killed is removed by the next one. The ports
//! lie below the range from which the system takes the ports of outgoing connections: else a client
//! that reconnects could take the port of a broker that is down, and the broker could not come
//! back.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 4;
const SLOTS: u16 = 2_000;

/// The ports and the directory of one broker, and the right to use them.
#[derive(Debug)]
pub struct Slot {
    /// Four ports that were free when the slot was claimed.
    pub ports: [u16; 4],
    /// A directory that was empty when the slot was claimed; it goes with the slot.
    pub dir: PathBuf,
    _lock: File,
}

impl Slot {
    /// Claims a slot that nobody holds and whose ports are free.
    pub fn claim() -> Self {
        static SWEPT: Once = Once::new();
        static TURN: AtomicU32 = AtomicU32::new(0);

        let base = base_directory();
        SWEPT.call_once(|| sweep(&base));
        for _ in 0..SLOTS {
            // Each turn takes another number, so that a client left over from one broker does not
            // meet the next.
            let turn = TURN.fetch_add(1, Ordering::Relaxed);
            let start = std::process::id().wrapping_mul(61);
            let number = start.wrapping_add(turn) % u32::from(SLOTS);
            let number = u16::try_from(number).expect("less than SLOTS");
            let Some(lock) = try_lock(&base, number) else { continue };
            let first = FIRST_PORT + number * PORTS;
            let ports = [first, first + 1, first + 2, first + 3];
            if ports.iter().any(|&port| TcpListener::bind(("127.0.0.1", port)).is_err()) {
                continue;
            }
            let dir = base.join(format!("slot-{number}"));
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir(&dir).expect("the slot's directory was just removed");
            return Self { ports, dir, _lock: lock };
        }
        panic!("none of {SLOTS} slots from port {FIRST_PORT} on is free");
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next sweep.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The same directory for all programs of this user: the ports are shared by all of them, too.
fn base_directory() -> PathBuf {
    let user = fs::metadata("/proc/self").expect("Linux has /proc").uid();
    let base = std::env::temp_dir().join(format!("odrwatch-test-brokers-{user}"));
    fs::create_dir_all(&base).expect("the temporary directory is writable");
    base
}

fn try_lock(base: &Path, number: u16) -> Option<File> {
    let file = File::create(base.join(format!("slot-{number}.lock"))).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

/// Removes the directories of programs that ended without doing so.
fn sweep(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("slot-")?.parse().ok());
        if let Some(number) = number
            && let Some(_lock) = try_lock(base, number)
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
