//! Where snapshots are kept: a topic, a directory, or nowhere.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::checked::{Checker, narrow};
use super::raw::RawSnapshots;

/// Where the state is kept so that a restart need not read everything again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotsConfig {
    /// Where.
    pub store: SnapshotPlace,
    /// Between two snapshots of a shard (100 ms..=1 day).
    pub interval: Duration,
    /// How many of each shard are kept (1..=100).
    pub keep: usize,
}

/// A place for snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotPlace {
    /// Nowhere: a restart reads the inputs from their beginning.
    Off,
    /// The topic of snapshots.
    Kafka,
    /// A directory.
    Directory(PathBuf),
}

impl fmt::Display for SnapshotPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => formatter.write_str("off"),
            Self::Kafka => formatter.write_str("kafka"),
            Self::Directory(path) => write!(formatter, "file://{}", path.display()),
        }
    }
}

pub(super) fn snapshots(raw: &RawSnapshots, checker: &mut Checker<'_>) -> SnapshotsConfig {
    let store = place(&raw.store).unwrap_or_else(|| {
        let problem = format!("is {}, which is no place", super::check::quoted(&raw.store));
        let allowed = "kafka, off, or a URL such as file:///var/lib/odrwatch/snapshots";
        checker.mistake("snapshots.store", &problem, Some(allowed), None);
        SnapshotPlace::Off
    });
    SnapshotsConfig {
        store,
        interval: Duration::from_millis(raw.interval_ms),
        keep: narrow(raw.keep),
    }
}

fn place(text: &str) -> Option<SnapshotPlace> {
    match text {
        "off" => Some(SnapshotPlace::Off),
        "kafka" => Some(SnapshotPlace::Kafka),
        url => {
            let path = Path::new(url.strip_prefix("file://")?);
            let is_plain = path
                .components()
                .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
            let is_place = path.is_absolute() && path.parent().is_some() && is_plain;
            // A percent sign would be an escape, which nobody means in a directory's name.
            (is_place && !url.contains('%')).then(|| SnapshotPlace::Directory(path.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_topic_a_directory_or_nowhere() {
        let directory = |path: &str| Some(SnapshotPlace::Directory(path.into()));
        for (text, expected) in [
            ("off", Some(SnapshotPlace::Off)),
            ("kafka", Some(SnapshotPlace::Kafka)),
            ("file:///var/lib/odrwatch", directory("/var/lib/odrwatch")),
            ("file:///tmp/with space", directory("/tmp/with space")),
            ("", None),
            ("Kafka", None),
            ("/var/lib/odrwatch", None),
            ("file://var/lib", None),
            ("file:///", None),
            ("file:///var/../etc", None),
            ("file:///a%20b", None),
            ("s3://bucket/prefix", None),
        ] {
            assert_eq!(place(text), expected, "{text}");
        }
    }
}
