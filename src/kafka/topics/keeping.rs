//! How long records are kept, and by which clock they are stamped.

use super::{DAY_MS, Judge};
use crate::domain::event::Topic;

impl Judge<'_> {
    pub(super) fn kept(&mut self, topic: &str, wanted_ms: i64) {
        if let Some(has) = self.found[topic].number("retention.ms")
            && has != -1
            && has < wanted_ms
        {
            let days = wanted_ms / DAY_MS;
            let problem = format!("it keeps records for {has} ms, which is less than {days} days");
            self.problem(topic, problem, self.alter(topic, &format!("retention.ms={wanted_ms}")));
        }
        if let Some(has) = self.found[topic].number("retention.bytes")
            && has != -1
        {
            let problem = format!("it drops records beyond {has} bytes a partition, however new");
            self.warning(topic, problem, self.alter(topic, "retention.bytes=-1"));
        }
    }

    /// A restart reads every progress record: each may hold a decision.
    pub(super) fn kept_for_ever(&mut self, topic: &str) {
        for name in ["retention.ms", "retention.bytes"] {
            if let Some(has) = self.found[topic].number(name)
                && has != -1
            {
                let problem = format!("its {name} is {has}; a restart needs all its records");
                self.problem(topic, problem, self.alter(topic, &format!("{name}=-1")));
            }
        }
    }

    /// Without snapshots a restart reads the inputs from where the shards' history began.
    pub(super) fn outlasts_its_history(&mut self, topic: &str) {
        if self.config.has_snapshots {
            return;
        }
        if let Some(has) = self.found[topic].number("retention.ms")
            && has != -1
        {
            let problem = format!(
                "it keeps records for {} days; once a shard's history is older than that, it \
                 cannot be restarted, because snapshots are off (snapshots.store)",
                has / DAY_MS
            );
            self.warning(topic, problem, self.alter(topic, "retention.ms=-1"));
        }
    }

    pub(super) fn timestamps(&mut self, topic: &str, wanted: &str) {
        let Some(has) = self.setting(topic, "message.timestamp.type") else { return };
        if has != wanted {
            let problem = format!("its message.timestamp.type is {has}, not {wanted}");
            let cure = self.alter(topic, &format!("message.timestamp.type={wanted}"));
            self.problem(topic, problem, cure);
        }
    }

    /// Facts become known by one kind of clock, or by none.
    pub(super) fn equal_timestamps(&mut self) {
        let names = Topic::ALL.map(|topic| self.config.topics.input(topic).to_owned());
        let kinds = names.clone().map(|name| self.setting(&name, "message.timestamp.type"));
        let Some(first) = kinds.iter().flatten().next().cloned() else { return };
        for (name, kind) in names.iter().zip(&kinds) {
            if kind.as_ref().is_some_and(|kind| *kind != first) {
                let kind = kind.as_deref().unwrap_or_default();
                let problem = format!(
                    "its message.timestamp.type is {kind}, and that of another input is {first}"
                );
                let cure = self.alter(name, &format!("message.timestamp.type={first}"));
                self.problem(name, problem, cure);
            }
        }
    }
}
