//! What the operating system says about this process, under the conventional `process_*` names.
//!
//! Reads `/proc` when metrics are read; where there is none (not Linux), the values stay 0. Read
//! here rather than by a crate, because five small files in known formats are all that is needed.

use std::fs;
use std::time::Duration;

use prometheus::{Counter, Gauge, IntGauge};

use super::declarations as declared;
use super::metrics::whole;
use super::registrar::Registrar;

/// Milliseconds per clock tick in `/proc`: `USER_HZ` is 100 on every architecture that Linux
/// supports today.
const TICK_MS: u64 = 10;

/// The process metrics.
pub(super) struct ProcessMetrics {
    cpu: Counter,
    open_fds: IntGauge,
    max_fds: IntGauge,
    resident: IntGauge,
    virtual_memory: IntGauge,
    threads: IntGauge,
    start: Gauge,
}

impl ProcessMetrics {
    /// Registers them, all at zero.
    pub(super) fn new(registrar: &Registrar) -> Self {
        Self {
            cpu: registrar.counter_seconds(&declared::PROCESS_CPU),
            open_fds: registrar.gauge(&declared::PROCESS_OPEN_FDS),
            max_fds: registrar.gauge(&declared::PROCESS_MAX_FDS),
            resident: registrar.gauge(&declared::PROCESS_RESIDENT),
            virtual_memory: registrar.gauge(&declared::PROCESS_VIRTUAL),
            threads: registrar.gauge(&declared::PROCESS_THREADS),
            start: registrar.gauge_seconds(&declared::PROCESS_START),
        }
    }

    /// Reads them anew. What cannot be read keeps its last value.
    pub(super) fn refresh(&mut self) {
        if let Some(stat) = read("self/stat").as_deref().and_then(parse_stat) {
            let total = stat.cpu.as_secs_f64();
            self.cpu.inc_by((total - self.cpu.get()).max(0.0));
            if let Some(boot) = read("stat").as_deref().and_then(parse_boot_time) {
                self.start.set((boot + stat.since_boot).as_secs_f64());
            }
        }
        if let Some(status) = read("self/status") {
            for (name, gauge, factor) in [
                ("VmRSS", &self.resident, 1024),
                ("VmSize", &self.virtual_memory, 1024),
                ("Threads", &self.threads, 1),
            ] {
                if let Some(value) = parse_status(&status, name) {
                    gauge.set(whole(value.saturating_mul(factor)));
                }
            }
        }
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            // The listing itself holds one descriptor.
            self.open_fds.set(whole(entries.count().saturating_sub(1)));
        }
        if let Some(limit) = read("self/limits").as_deref().and_then(parse_max_fds) {
            self.max_fds.set(whole(limit));
        }
    }
}

fn read(name: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/{name}")).ok()
}

/// The two facts taken from `/proc/self/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    /// User and system time.
    cpu: Duration,
    /// From the machine's boot to the process's start.
    since_boot: Duration,
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The second field is the program's name in parentheses, which may hold anything; what
    // follows the last parenthesis starts with the third field.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let ticks = |number: usize| {
        let ticks: u64 = fields.get(number - 3)?.parse().ok()?;
        Some(Duration::from_millis(ticks.saturating_mul(TICK_MS)))
    };
    Some(Stat { cpu: ticks(14)? + ticks(15)?, since_boot: ticks(22)? })
}

fn parse_boot_time(text: &str) -> Option<Duration> {
    let seconds = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    Some(Duration::from_secs(seconds.trim().parse().ok()?))
}

fn parse_status(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

fn parse_max_fds(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let soft = line.split_ascii_whitespace().next()?;
    if soft == "unlimited" {
        return Some(u64::MAX);
    }
    soft.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stat_file_is_read_behind_a_hostile_program_name() {
        let text = "12 (a ) 1 (b) S 1 1 1 0 -1 4194304 1 2 3 4 150 50 0 0 20 0 9 0 4200 1 2";
        let wanted = Stat { cpu: Duration::from_secs(2), since_boot: Duration::from_secs(42) };
        assert_eq!(parse_stat(text), Some(wanted));
        assert_eq!(parse_stat("12 (short) S 1"), None);
    }

    #[test]
    fn memory_limits_and_boot_time_are_read_from_their_lines() {
        assert_eq!(parse_status("VmSize:\t 9 kB\nVmRSS:\t 7 kB\n", "VmRSS"), Some(7));
        assert_eq!(parse_status("VmRSSX:\t 7 kB\n", "VmRSS"), None);
        let limits = "Max open files            1024                 524288               files";
        assert_eq!(parse_max_fds(limits), Some(1024));
        let boot = parse_boot_time("cpu 1 2\nbtime 1700000000\n");
        assert_eq!(boot, Some(Duration::from_secs(1_700_000_000)));
    }

    #[test]
    fn the_processor_time_of_this_process_never_goes_back() {
        let registrar = Registrar::new();
        let mut process = ProcessMetrics::new(&registrar);
        process.refresh();
        let before = process.cpu.get();
        process.refresh();
        assert!(process.cpu.get() >= before);
        if cfg!(target_os = "linux") {
            assert!(process.resident.get() > 0);
            assert!(process.open_fds.get() > 0);
            assert!(process.max_fds.get() > 0);
            assert!(process.threads.get() > 0);
            assert!(process.start.get() > 1e9);
        }
    }
}
