//! A hint to the processor that a line of memory will be read soon.
//!
//! Changes nothing but time. Where the processor has no such instruction within reach of stable
//! Rust, nothing happens.

/// Bytes of a line of the cache.
const LINE: usize = 64;

/// Places that are to be fetched together.
///
/// A fetch holds up what follows it until its address is translated, except other fetches: so the
/// places are found first, and then fetched in a loop with nothing else in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Vec<usize>);

impl Places {
    /// Adds the line that `place` begins in.
    #[inline]
    pub(crate) fn add<T>(&mut self, place: &T) {
        self.0.push(std::ptr::from_ref(place).addr());
    }

    /// Adds all lines of a value that begins at a line.
    #[inline]
    pub(crate) fn add_lines<T>(&mut self, place: &T) {
        let first = std::ptr::from_ref(place).addr();
        self.0.extend((0..size_of::<T>()).step_by(LINE).map(|offset| first + offset));
    }

    /// Begins to fetch them all, and forgets them.
    pub(crate) fn fetch(&mut self) {
        for address in self.0.drain(..) {
            fetch(std::ptr::without_provenance(address));
        }
    }
}

#[inline]
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "benches/engine.rs: misses of the cache must overlap")]
fn fetch(address: *const i8) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: the instruction belongs to SSE, which every x86_64 has. It is a hint: it reads and
    // writes no memory as far as the program can tell, and no address makes it fault.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address) }
}

#[inline]
#[cfg(not(target_arch = "x86_64"))]
fn fetch(_address: *const i8) {}
