//! A broker with the topics of one test, and the configuration that belongs to them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use odrwatch::config::{self, Config, Sources};
use odrwatch::domain::event::Topic;
use odrwatch::kafka::{
    Creation, KafkaConfig, TopicLayout, TopicState, check_topics, create_topics, topic_names,
};
use odrwatch::pipeline::ports::{OutTopic, TopicNames};
use tempfile::TempDir;

use crate::support::Deadline;
use crate::support::broker::{KafkaBroker, TlsListener};
use crate::support::topics::{self, NamedTopic};

/// What the topics must reach back over with the shipped policy, in days.
const HORIZON_DAYS: u32 = 75;

/// A broker with a plain and a TLS listener.
pub struct Shared {
    process: Mutex<KafkaBroker>,
    pub tls: TlsListener,
    _certificates: TempDir,
}

impl Shared {
    fn start() -> Self {
        let dir = TempDir::new().unwrap();
        // Members that died are waited for: a short session makes that short.
        let short = ("group.min.session.timeout.ms", "1000");
        let (process, tls) = KafkaBroker::start_tls_with(dir.path(), &[short]);
        Self { process: Mutex::new(process), tls, _certificates: dir }
    }

    /// The process itself, to be disturbed by who has it alone.
    pub fn process(&self) -> MutexGuard<'_, KafkaBroker> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The broker of all tests that run now; the last one that has it takes it along.
fn shared() -> Arc<Shared> {
    static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let started = Arc::new(Shared::start());
        *shared = Arc::downgrade(&started);
        started
    })
}

/// The topics and the group of one test.
pub struct Stage {
    pub broker: Arc<Shared>,
    /// The group's name, and what the topics' names begin with.
    pub name: &'static str,
    pub partitions: u32,
}

impl Stage {
    /// Topics on the shared broker.
    pub fn new(name: &'static str, partitions: u32) -> Self {
        let stage = Self::bare(name, partitions);
        stage.create();
        stage
    }

    /// The same without any topic yet.
    pub fn bare(name: &'static str, partitions: u32) -> Self {
        Self { broker: shared(), name, partitions }
    }

    /// Topics on a broker of their own, which the test may disturb.
    pub fn alone(name: &'static str, partitions: u32) -> Self {
        let stage = Self { broker: Arc::new(Shared::start()), name, partitions };
        stage.create();
        stage
    }

    fn create(&self) {
        self.create_inputs();
        let layout = TopicLayout {
            partitions: self.partitions,
            replication: Some(1),
            horizon_days: HORIZON_DAYS,
        };
        let config = self.kafka();
        let plans = create_topics(&config, layout, Creation::Create).unwrap();
        let failed = |state: &TopicState| matches!(state, TopicState::Failed(_));
        assert!(!plans.iter().any(|plan| failed(&plan.state)), "{plans:?}");
        let deadline = Deadline::of_step();
        // A topic that was just made may not be known to the broker's metadata yet.
        while let Err(error) = check_topics(&config, HORIZON_DAYS) {
            deadline.wait(|| format!("the topics: {error:?}"));
        }
    }

    /// The inputs keep whatever is written, however old, and take values that are too large.
    fn create_inputs(&self) {
        let names = Topic::ALL.map(|topic| self.input(topic));
        let partitions = i32::try_from(self.partitions).unwrap();
        let settings = [
            ("retention.ms", "-1"),
            ("cleanup.policy", "delete"),
            ("max.message.bytes", "2000000"),
        ];
        let inputs: Vec<NamedTopic<'_>> =
            names.iter().map(|name| (name.as_str(), partitions, settings.as_slice())).collect();
        topics::create_topics(&self.bootstrap(), &inputs);
    }

    /// Creates one input as [`Stage::create_inputs`] does; what was deleted may linger a moment.
    pub fn create_input(&self, topic: Topic) {
        let name = self.input(topic);
        let partitions = i32::try_from(self.partitions).unwrap();
        let settings = [("retention.ms", "-1"), ("cleanup.policy", "delete")];
        let deadline = Deadline::of_step();
        let config = self.kafka();
        while topic_names(&config).unwrap().contains(&name) {
            deadline.wait(|| format!("the end of {name}"));
        }
        topics::create_topics(&self.bootstrap(), &[(&name, partitions, &settings)]);
    }

    /// Drops what the group has committed of all inputs, as retention would.
    pub fn drop_committed_inputs(&self) {
        for topic in Topic::ALL {
            self.drop_all_inputs(topic);
        }
    }

    /// Drops all records of an input, as retention would.
    pub fn drop_all_inputs(&self, topic: Topic) {
        topics::delete_records(&self.bootstrap(), &self.input(topic));
    }

    pub fn bootstrap(&self) -> String {
        self.broker.process().bootstrap()
    }

    pub fn input(&self, topic: Topic) -> String {
        format!("{}-{}", self.name, topic.as_str())
    }

    pub fn output(&self, topic: OutTopic) -> String {
        format!("{}-{}", self.name, topic.as_str())
    }

    /// The topic of snapshots.
    pub fn snapshots(&self) -> String {
        format!("{}-snapshots", self.name)
    }

    fn kafka(&self) -> KafkaConfig {
        let mut config = KafkaConfig::new(&self.bootstrap(), self.name, "none");
        config.topics = TopicNames {
            inputs: Topic::ALL.map(|topic| self.input(topic)),
            alerts: self.output(OutTopic::Alerts),
            status: self.output(OutTopic::Status),
            dead_letters: self.output(OutTopic::DeadLetters),
            progress: self.output(OutTopic::Progress),
            advice: self.output(OutTopic::Advice),
            snapshots: self.snapshots(),
        };
        config
    }

    /// The configuration as arguments of `--set`; what the caller adds behind them wins.
    pub fn sets(&self, instance: &str) -> Vec<String> {
        let mut sets = vec![
            format!("kafka.bootstrap_servers={}", self.bootstrap()),
            format!("kafka.group={}", self.name),
            format!("kafka.instance={instance}"),
            "kafka.session_timeout_ms=3000".to_owned(),
            "kafka.heartbeat_interval_ms=200".to_owned(),
            "http.listen=127.0.0.1:0".to_owned(),
            "engine.alerts_from=earliest".to_owned(),
            // Half of what the tests write may be bad.
            "engine.dead_letter_breaker_percent=0".to_owned(),
            // Whoever wants them turns them on: most tests are about what happens without.
            "snapshots.store=off".to_owned(),
            format!("kafka.topics.snapshots={}", self.snapshots()),
        ];
        for topic in Topic::ALL {
            sets.push(format!("kafka.topics.{}={}", topic.as_str(), self.input(topic)));
        }
        for topic in OutTopic::ALL {
            sets.push(format!("kafka.topics.{}={}", topic.as_str(), self.output(topic)));
        }
        sets
    }

    /// The configuration as the service reads it.
    pub fn config(&self) -> Config {
        let sources = Sources { sets: self.sets("replay"), ..Sources::default() };
        config::load(&sources).unwrap()
    }
}
