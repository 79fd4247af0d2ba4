//! What was quoted of comments, for readers that may see it: the latest records, so many.
//!
//! Absent on purpose: any way from here into a state, a log or a metric.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Records of quotes that are kept, the latest; each has some kilobytes at most.
const LATEST_QUOTES: usize = 10_000;

/// The latest records of quotes by their keys.
#[derive(Default)]
pub(super) struct QuotesKept {
    values: BTreeMap<Box<[u8]>, Arc<[u8]>>,
    /// Keys in the order of their coming; some may be there twice or be gone.
    order: VecDeque<Box<[u8]>>,
}

/// What buyers wrote is not shown.
impl std::fmt::Debug for QuotesKept {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("QuotesKept")
            .field("kept", &self.values.len())
            .finish_non_exhaustive()
    }
}

impl QuotesKept {
    /// Puts a record in the place of the one before; none takes it away.
    pub(super) fn set(&mut self, key: Box<[u8]>, value: Option<Arc<[u8]>>) {
        let Some(value) = value else {
            self.values.remove(&key);
            return;
        };
        if self.values.insert(key.clone(), value).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > LATEST_QUOTES {
            let Some(oldest) = self.order.pop_front() else { break };
            self.values.remove(&oldest);
        }
    }

    /// The record with a key.
    pub(super) fn get(&self, key: &[u8]) -> Option<Arc<[u8]>> {
        self.values.get(key).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_and_what_is_taken_back_is_gone() {
        let mut kept = QuotesKept::default();
        let key = |number: usize| number.to_string().into_bytes().into_boxed_slice();
        let value = |text: &str| Some(Arc::from(text.as_bytes()));
        for number in 0..LATEST_QUOTES + 5 {
            kept.set(key(number), value("canary"));
        }
        assert_eq!((kept.get(b"4"), kept.values.len()), (None, LATEST_QUOTES));
        kept.set(key(9), value("new"));
        assert_eq!(kept.get(b"9"), value("new"));
        kept.set(key(9), None);
        assert_eq!(kept.get(b"9"), None);
        assert!(!format!("{kept:?}").contains("canary"));
    }
}
