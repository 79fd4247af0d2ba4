//! The CPU clock of a thread, for benchmarks.

/// CPU time of this thread in nanoseconds.
#[expect(unsafe_code, reason = "the thread's CPU clock has no safe wrapper in std")]
pub fn cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec that lives through the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "the thread has a CPU clock");
    u64::try_from(time.tv_sec).expect("a time is not negative") * 1_000_000_000
        + u64::try_from(time.tv_nsec).expect("a time is not negative")
}
