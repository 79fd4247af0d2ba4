//! The oldest snapshot that something can begin with, for who trusts snapshots and reads the rest.

use super::format::{self, Expected, Header};
use crate::domain::shard::{Shard, ShardConfig};
use crate::pipeline::ports::{SnapshotStore, StoreError};
use crate::wire::progress::Progress;

/// A snapshot that was found.
#[derive(Debug)]
pub struct Anchor {
    /// The progress record that was committed with it.
    pub progress: Progress,
    /// The state.
    pub shard: Shard,
}

/// Looks for the oldest good snapshot behind whose state `reaches` says that the inputs go on.
/// Those that are of no use are told to `refused`, by number and in words.
///
/// # Errors
/// As [`StoreError`] says.
pub fn oldest_that(
    store: &mut dyn SnapshotStore,
    expected: &Expected,
    config: &ShardConfig,
    reaches: impl Fn(&Progress) -> bool,
    refused: &mut dyn FnMut(u64, String),
) -> Result<Option<Anchor>, StoreError> {
    let mut numbers = store.list(expected.shard)?;
    numbers.sort_unstable();
    for number in numbers {
        let bytes = match store.read(expected.shard, number) {
            Ok(bytes) => bytes,
            // The service may have removed it meanwhile.
            Err(error) => {
                refused(number, error.to_string());
                continue;
            }
        };
        match format::read(&bytes, expected, config.clone()) {
            Ok((Header { progress, .. }, _)) if !reaches(&progress) => {
                refused(number, "the inputs no longer go on behind it".to_owned());
            }
            Ok((Header { progress, .. }, shard)) => return Ok(Some(Anchor { progress, shard })),
            Err(why) => refused(number, why.to_string()),
        }
    }
    Ok(None)
}
