//! The names of the topics, by their roles.

use super::ports::OutTopic;
use crate::domain::event::Topic;

/// The names of all topics, all different, each within Kafka's grammar of topic names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicNames {
    /// The four inputs, in the order of [`Topic::ALL`].
    pub inputs: [String; 4],
    /// Alerts.
    pub alerts: String,
    /// Standings, compacted.
    pub status: String,
    /// Dead letters.
    pub dead_letters: String,
    /// Progress and decisions.
    pub progress: String,
    /// Advice, compacted; empty where none is given.
    pub advice: String,
    /// Snapshots, compacted; empty where they are not kept in a topic.
    pub snapshots: String,
}

impl TopicNames {
    /// The name of an input topic.
    #[must_use]
    pub fn input(&self, topic: Topic) -> &str {
        &self.inputs[topic.index()]
    }

    /// The name of the topic of snapshots, if they are kept in one.
    pub fn of_snapshots(&self) -> impl Iterator<Item = &str> {
        Some(self.snapshots.as_str()).filter(|name| !name.is_empty()).into_iter()
    }

    /// The output topics that are written, with their names.
    pub fn outputs(&self) -> impl Iterator<Item = (OutTopic, &str)> {
        let all = OutTopic::ALL.map(|topic| (topic, self.output(topic)));
        all.into_iter().filter(|(_, name)| !name.is_empty())
    }

    /// The name of an output topic.
    #[must_use]
    pub fn output(&self, topic: OutTopic) -> &str {
        match topic {
            OutTopic::Alerts => &self.alerts,
            OutTopic::Status => &self.status,
            OutTopic::DeadLetters => &self.dead_letters,
            OutTopic::Progress => &self.progress,
            OutTopic::Advice => &self.advice,
        }
    }
}

impl Default for TopicNames {
    fn default() -> Self {
        Self {
            inputs: Topic::ALL.map(|topic| topic.as_str().to_owned()),
            alerts: "odr-alerts".to_owned(),
            status: "odr-status".to_owned(),
            dead_letters: "odr-dead-letters".to_owned(),
            progress: "odr-progress".to_owned(),
            advice: "odr-advice".to_owned(),
            snapshots: String::new(),
        }
    }
}
