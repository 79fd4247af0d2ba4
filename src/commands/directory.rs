//! Who has the shards that this process does not have, read from their progress records.
//!
//! Invariant: whatever befalls this, everything else goes on; what is known grows old meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::debug;

use super::cluster;
use super::service::{Clock, Companion, Shutdown};
use crate::config::Config;
use crate::domain::ids::ShardNo;
use crate::kafka::{KafkaConfig, ProgressTails};
use crate::pipeline::ports::SourceError;
use crate::pipeline::query::{Directory, Owner, ReadModel};
use crate::wire::progress;

/// How often the records are looked at, in ms.
const LOOK_MS: i64 = 2_000;

/// How long it sleeps at most, so that it ends soon.
const NAP: Duration = Duration::from_millis(50);

/// What keeps a directory, over inputs of so many partitions.
pub fn companion(
    config: &Config,
    partitions: u32,
    model: Arc<ReadModel>,
    directory: Arc<Directory>,
) -> Companion {
    let kafka = cluster::settings(config);
    Box::new(move |shutdown| {
        keep(&kafka, partitions, &model, &directory, &shutdown);
        Ok(())
    })
}

fn keep(
    kafka: &KafkaConfig,
    partitions: u32,
    model: &ReadModel,
    directory: &Directory,
    shutdown: &Shutdown,
) {
    let clock = Clock::start();
    let (mut tails, mut due_ms) = (None, 0);
    while !shutdown.is_asked() {
        let now_ms = clock.now().mono_ms;
        if now_ms < due_ms {
            std::thread::sleep(NAP);
            continue;
        }
        due_ms = now_ms + LOOK_MS;
        if let Err(error) = look(&mut tails, kafka, partitions, model, directory) {
            debug!(%error, "who has the other shards could not be read");
            tails = None;
        }
    }
}

fn look(
    tails: &mut Option<ProgressTails>,
    kafka: &KafkaConfig,
    partitions: u32,
    model: &ReadModel,
    directory: &Directory,
) -> Result<(), SourceError> {
    let here = model.shards();
    let all = (0..partitions).map(ShardNo::new);
    let others: Vec<ShardNo> = all.filter(|shard| !here.contains_key(shard)).collect();
    if others.is_empty() {
        return Ok(());
    }
    let tails = match tails {
        Some(tails) => tails,
        None => tails.insert(ProgressTails::connect(kafka, partitions)?),
    };
    let mut last: BTreeMap<ShardNo, Owner> = BTreeMap::new();
    tails.look(&others, &mut |shard, value| {
        // What is damaged or of a newer program stops whoever has the shard, and not us.
        let Ok(record) = progress::decode(value) else { return };
        let length = record.boundary_length;
        let boundary_ms = record.boundary.map(|boundary| boundary.ms(length));
        last.insert(shard, Owner { address: record.owner, boundary_ms });
    })?;
    for (shard, owner) in last {
        directory.note(shard, owner);
    }
    Ok(())
}
