//! What a verification prints: text for people, or one JSON object.
//!
//! Invariant: what stands in the topics may be anybody's, so nothing of it drives a terminal.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::commands::show;
use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::domain::time::BoundaryLength;
use crate::pipeline::audit::{Difference, DifferenceKind, ShardReport};
use crate::pipeline::ports::TopicNames;
use crate::wire::decision::DecisionLine;
use crate::wire::time::instant;

/// What is to be printed.
pub struct Report {
    /// By shard.
    pub shards: BTreeMap<ShardNo, ShardReport>,
    /// The gaps that an operator accepted.
    pub gaps: Vec<DecisionLine>,
    /// The length of boundaries.
    pub length: BoundaryLength,
}

#[derive(Serialize)]
struct Json<'a> {
    agrees: bool,
    differences: u64,
    shards: Vec<JsonShard>,
    gaps: Vec<JsonGap>,
    different: Vec<JsonDifference<'a>>,
}

#[derive(Serialize)]
struct JsonShard {
    shard: u32,
    anchor: Option<u64>,
    progress_record: u64,
    boundary: Option<String>,
    records: u64,
    progress_records: u64,
    alerts: u64,
    alerts_before: u64,
    alerts_dropped: u64,
    alerts_later: u64,
    differences: u64,
}

#[derive(Serialize)]
struct JsonGap {
    topic: &'static str,
    partition: u32,
    from: i64,
    to: i64,
}

#[derive(Serialize)]
struct JsonDifference<'a> {
    shard: u32,
    kind: &'static str,
    offset: Option<i64>,
    number: Option<u64>,
    key: Option<&'a str>,
    parts: &'a [&'static str],
    expected: Option<&'a str>,
    found: Option<&'a str>,
}

impl Report {
    /// How many differences there are.
    #[must_use]
    pub fn differences(&self) -> u64 {
        self.shards.values().map(|shard| shard.count).sum()
    }

    fn listed(&self) -> impl Iterator<Item = &Difference> {
        self.shards.values().flat_map(|shard| &shard.differences)
    }

    fn boundary(&self, shard: &ShardReport) -> Option<String> {
        Some(instant(shard.boundary?.ms(self.length)))
    }

    fn gaps(&self) -> impl Iterator<Item = (Topic, ShardNo, NextOffset, NextOffset)> {
        self.gaps.iter().filter_map(|gap| match gap {
            DecisionLine::Gap { topic, partition, from, to } => {
                Some((*topic, *partition, *from, *to))
            }
            _ => None,
        })
    }

    /// One JSON object, with a line end.
    #[must_use]
    pub fn json(&self) -> String {
        let shards = self.shards.iter().map(|(number, shard)| JsonShard {
            shard: number.get(),
            anchor: shard.anchor,
            progress_record: shard.target,
            boundary: self.boundary(shard),
            records: shard.records,
            progress_records: shard.progress,
            alerts: shard.alerts,
            alerts_before: shard.before,
            alerts_dropped: shard.dropped,
            alerts_later: shard.later,
            differences: shard.count,
        });
        let gaps = self.gaps().map(|(topic, partition, from, to)| JsonGap {
            topic: topic.as_str(),
            partition: partition.get(),
            from: from.get(),
            to: to.get(),
        });
        let different = self.listed().map(|one| JsonDifference {
            shard: one.shard.get(),
            kind: one.kind.as_str(),
            offset: one.offset.map(Offset::get),
            number: one.number,
            key: one.key.as_deref(),
            parts: &one.parts,
            expected: one.expected.as_deref(),
            found: one.found.as_deref(),
        });
        let json = Json {
            agrees: self.differences() == 0,
            differences: self.differences(),
            shards: shards.collect(),
            gaps: gaps.collect(),
            different: different.collect(),
        };
        serde_json::to_string(&json).expect("its names are text") + "\n"
    }

    /// A table of what was compared, and the differences below it.
    #[must_use]
    pub fn table(&self, topics: &TopicNames) -> String {
        if self.shards.is_empty() {
            return format!("Nothing is committed: the topic {} is empty.\n", topics.progress);
        }
        let header = ["shard", "up to", "records", "progress records", "alerts", "differences"];
        let mut table = show::table(&header, 2..6);
        for (number, shard) in &self.shards {
            table.add_row([
                number.to_string(),
                self.boundary(shard).unwrap_or_default(),
                shard.records.to_string(),
                shard.progress.to_string(),
                shard.alerts.to_string(),
                shard.count.to_string(),
            ]);
        }
        let mut text = format!("Compared\n{}", show::lines(&table));
        self.remarks(&mut text);
        match self.differences() {
            0 => line(&mut text, "\nEverything that is committed is what the inputs give."),
            count => line(&mut text, &format!("\nDifferences: {count}")),
        }
        for one in self.listed() {
            difference(&mut text, one, topics);
        }
        let listed = u64::try_from(self.listed().count()).unwrap_or(u64::MAX);
        if listed < self.differences() {
            line(&mut text, &format!(" and {} more", self.differences() - listed));
        }
        text
    }

    /// What was not compared, and why.
    fn remarks(&self, text: &mut String) {
        for (number, shard) in &self.shards {
            if let Some(anchor) = shard.anchor {
                let told = format!(
                    "Shard {number}: the inputs no longer have the first records, so it begins \
                     with the snapshot of progress record {anchor}; {} alerts before it were not \
                     compared.",
                    shard.before
                );
                line(text, &told);
            }
            if shard.dropped > 0 {
                let dropped = shard.dropped;
                let told = format!("Shard {number}: the topic no longer keeps {dropped} alerts.");
                line(text, &told);
            }
            if shard.later > 0 {
                let later = shard.later;
                let told = format!("Shard {number}: {later} alerts were committed meanwhile.");
                line(text, &told);
            }
        }
        for (topic, partition, from, to) in self.gaps() {
            let told = format!(
                "{}-{partition}: offsets {from} to {} were lost before they were read, as \
                 --accept-gap recorded.",
                topic.as_str(),
                to.get() - 1
            );
            line(text, &told);
        }
    }
}

fn difference(text: &mut String, one: &Difference, topics: &TopicNames) {
    let (topic, mut head) = match one.kind {
        DifferenceKind::Progress => (&topics.progress, "\nprogress record".to_owned()),
        kind => (&topics.alerts, format!("\n{} alert", kind.as_str())),
    };
    let mut add = |part: String| head.push_str(&part);
    if let Some(number) = one.number {
        add(format!(" {number}"));
    }
    if let Some(key) = &one.key {
        add(format!(" of {key}"));
    }
    match one.offset {
        Some(offset) => add(format!(", {topic}-{} offset {offset}", one.shard)),
        None => add(format!(", {topic}-{}", one.shard)),
    }
    if !one.parts.is_empty() {
        add(format!(" (differs in {})", one.parts.join(", ")));
    }
    line(text, &head);
    for (name, value) in [("computed", &one.expected), ("committed", &one.found)] {
        let value = value.as_deref().unwrap_or("nothing");
        line(text, &format!("  {name:<10}{value}"));
    }
}

/// Appends a line, in which only its first line ends are those of ours.
fn line(text: &mut String, content: &str) {
    let own = content.len() - content.trim_start_matches('\n').len();
    for (place, letter) in content.chars().enumerate() {
        if letter.is_control() && place >= own {
            let _ = write!(text, "{}", letter.escape_default());
        } else {
            text.push(letter);
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Boundary;

    fn report() -> Report {
        let shard = ShardNo::new(1);
        let extra = Difference {
            shard,
            kind: DifferenceKind::Extra,
            offset: Some(Offset::new(7)),
            number: Some(3),
            key: Some("S\u{1b}[31m".to_owned()),
            parts: Vec::new(),
            expected: None,
            found: Some("{\"seq\":3}\n".to_owned()),
        };
        let progress = Difference {
            kind: DifferenceKind::Progress,
            key: None,
            parts: vec!["digest"],
            expected: Some("digest a".to_owned()),
            found: Some("digest b".to_owned()),
            ..extra.clone()
        };
        let checked = ShardReport {
            records: 12,
            progress: 4,
            alerts: 2,
            later: 1,
            target: 4,
            boundary: Some(Boundary::from_number(2)),
            differences: vec![extra, progress],
            count: 5,
            ..ShardReport::default()
        };
        let gap = DecisionLine::Gap {
            topic: Topic::Orders,
            partition: shard,
            from: NextOffset::stated(10),
            to: NextOffset::stated(20),
        };
        let length = BoundaryLength::from_ms(5_000).unwrap();
        Report { shards: BTreeMap::from([(shard, checked)]), gaps: vec![gap], length }
    }

    #[test]
    fn each_difference_is_told_with_its_place_and_both_lines_and_drives_no_terminal() {
        let text = report().table(&TopicNames::default());
        for part in [
            "Shard 1: 1 alerts were committed meanwhile.",
            "orders-1: offsets 10 to 19 were lost before they were read",
            "Differences: 5",
            "extra alert 3 of S\\u{1b}[31m, odr-alerts-1 offset 7\n",
            "  computed  nothing\n  committed {\"seq\":3}\\n\n",
            "progress record 3, odr-progress-1 offset 7 (differs in digest)\n",
            " and 3 more\n",
        ] {
            assert!(text.contains(part), "{part:?} in\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn where_nothing_differs_or_is_committed_it_says_so() {
        let mut good = report();
        let shard = good.shards.get_mut(&ShardNo::new(1)).unwrap();
        (shard.count, shard.differences) = (0, Vec::new());
        let text = good.table(&TopicNames::default());
        assert!(text.contains("Everything that is committed is what the inputs give."), "{text}");
        assert!(good.json().starts_with("{\"agrees\":true,\"differences\":0,"), "{}", good.json());
        good.shards.clear();
        assert!(good.table(&TopicNames::default()).starts_with("Nothing is committed"));
    }
}
