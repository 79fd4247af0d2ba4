//! Pseudo-random numbers: xoshiro256++ seeded by splitmix64 (Blackman and Vigna, public domain).
//!
//! Invariant: the same seed gives the same numbers on every machine and in every version; stored
//! failing seeds stay meaningful. Absent on purpose: floating point and any source of entropy.

/// A million: probabilities are given in parts per million.
pub(super) const MILLION: u64 = 1_000_000;

/// A seeded generator of pseudo-random numbers.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

/// Splitmix64's output function: mixes the bits of a number. Also a way to draw the number of an
/// index without keeping a state.
pub(super) fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Maps 64 random bits to `0..limit`, by multiplication.
pub(super) fn scale(bits: u64, limit: u64) -> u64 {
    let product = u128::from(bits) * u128::from(limit);
    u64::try_from(product >> 64).expect("the high half of a product of two u64 fits")
}

impl Random {
    /// A generator from a seed; any seed will do.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut state = [0; 4];
        let mut at = seed;
        for word in &mut state {
            *word = mix(at);
            at = at.wrapping_add(0x9E37_79B9_7F4A_7C15);
        }
        Self { state }
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A number below `limit`, which is positive.
    pub fn below(&mut self, limit: u64) -> u64 {
        debug_assert!(limit > 0, "nothing is below zero");
        scale(self.next_u64(), limit)
    }

    /// An index below `len`, which is positive.
    pub fn index(&mut self, len: usize) -> usize {
        let limit = u64::try_from(len).expect("a length in memory fits 64 bits");
        usize::try_from(self.below(limit)).expect("a number below a usize is one")
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        debug_assert!(low <= high, "an empty range");
        let span = high.abs_diff(low) + 1;
        low.saturating_add_unsigned(self.below(span))
    }

    /// Whether something of a probability in parts per million happens.
    pub fn chance(&mut self, per_million: u32) -> bool {
        self.below(MILLION) < u64::from(per_million)
    }

    /// One of some things, of which there is at least one.
    pub fn pick<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.index(things.len())]
    }

    /// One of some texts, of which there is at least one.
    pub fn pick_str<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.index(texts.len())]
    }

    /// Brings things into a random order.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            things.swap(last, self.index(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_generators() {
        // splitmix64 with seed 0 gives this first number; xoshiro256++ from the state 1, 2, 3, 4
        // gives 41943041 and 58720359 (both as in the reference implementations).
        assert_eq!(mix(0), 0xE220_A839_7B1D_CDAF);
        let mut random = Random { state: [1, 2, 3, 4] };
        assert_eq!(random.next_u64(), 41_943_041);
        assert_eq!(random.next_u64(), 58_720_359);
    }

    #[test]
    fn ranges_are_met_at_both_ends() {
        let mut random = Random::new(7);
        let drawn: Vec<i64> = (0..1000).map(|_| random.between(-2, 2)).collect();
        for wanted in -2..=2 {
            assert!(drawn.contains(&wanted));
        }
        assert!(drawn.iter().all(|number| (-2..=2).contains(number)));
        assert!(!random.chance(0));
        assert!(random.chance(1_000_000));
    }
}
