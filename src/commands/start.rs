//! What every command begins with: its configuration, its logs, and the engine that follows.
//!
//! Invariant: the service, the demo and a replay are made from a configuration here and nowhere
//! else, so that they compute the same.

use std::hash::{BuildHasher, RandomState};
use std::io::IsTerminal;
use std::time::Instant;

use clap::ColorChoice;

use super::args::{ConfigArgs, GlobalArgs};
use super::exit::ExitCode;
use super::failure::Failure;
use crate::config::{
    self, Config, EngineConfig, LogConfig, LogFormat, LogLevel, Partitioner, PropertyMisfit,
    Sources,
};
use crate::domain::ids::{NextOffset, ShardNo};
use crate::domain::shard::{AlertingStart, Limits, MAX_ACCOUNTS, ShardConfig};
use crate::domain::time::DAY_MS;
use crate::kafka::{self, PropertyProblem};
use crate::pipeline::advice::AdviceRules;
use crate::telemetry::logging::{self, Colours};
use crate::wire::{input, partition};

/// The sources of the configuration that a command line names.
#[must_use]
pub fn sources(args: &ConfigArgs) -> Sources {
    let process = Sources::of_process(args.config.clone(), args.sets.clone());
    Sources { property: Some(check_property), ..process }
}

/// What the Kafka client says of a property, in the words of the configuration.
fn check_property(name: &str, value: Option<&str>) -> Result<(), PropertyMisfit> {
    let version = || format!("settings of librdkafka {}", kafka::librdkafka_version());
    kafka::check_property(name, value).map_err(|problem| {
        let (problem, allowed) = match problem {
            PropertyProblem::Unknown => {
                ("is no setting of the Kafka client".to_owned(), Some(version()))
            }
            PropertyProblem::OutOfRange(range) => {
                ("is out of range".to_owned(), Some(range.replace("..", "..=")))
            }
            PropertyProblem::NotBoolean => {
                ("is no boolean".to_owned(), Some("true, false".to_owned()))
            }
            PropertyProblem::Value => {
                ("has a value that the Kafka client does not take".to_owned(), None)
            }
            PropertyProblem::Other(words) => (format!("is not taken: {words}"), None),
        };
        PropertyMisfit { problem, allowed }
    })
}

/// Reads and checks the configuration.
///
/// # Errors
/// 78 with all its mistakes.
pub fn load(sources: &Sources) -> Result<Config, Failure> {
    config::load(sources).map_err(|errors| Failure::new(ExitCode::Config, errors))
}

/// Sets up logs as the configuration says, and the command line over it.
///
/// # Errors
/// 70: the levels come from closed sets, and logs are set up once.
pub fn start_logs(global: &GlobalArgs, log: &LogConfig) -> Result<(), Failure> {
    let level = log.level.shifted(global.verbose, global.quiet);
    init_logs(global, log, level.as_str())
}

/// Sets up logs for a command that speaks to people itself: only what is odd, unless the command
/// line asks for more; and how far long work is, where no terminal shows it.
///
/// # Errors
/// As [`start_logs`].
pub fn start_quiet_logs(global: &GlobalArgs, log: &LogConfig) -> Result<(), Failure> {
    let level = LogLevel::Warn.shifted(global.verbose, global.quiet);
    let mut levels = level.as_str().to_owned();
    if global.verbose == 0 && global.quiet == 0 && !std::io::stderr().is_terminal() {
        levels.push_str(",odrwatch::telemetry::progress=info");
    }
    init_logs(global, log, &levels)
}

/// Sets up logs for a command that asks a cluster something: the end says why there was no answer,
/// so the client's own lines are told only to those who want to know more.
///
/// # Errors
/// As [`start_logs`].
pub fn start_asking_logs(global: &GlobalArgs, log: &LogConfig) -> Result<(), Failure> {
    let level = LogLevel::Warn.shifted(global.verbose, global.quiet);
    let client = if global.verbose == 0 { ",librdkafka=off" } else { "" };
    init_logs(global, log, &format!("{}{client}", level.as_str()))
}

fn init_logs(global: &GlobalArgs, log: &LogConfig, levels: &str) -> Result<(), Failure> {
    let format = match global.log_format.unwrap_or(log.format) {
        LogFormat::Auto => logging::LogFormat::Auto,
        LogFormat::Text => logging::LogFormat::Text,
        LogFormat::Json => logging::LogFormat::Json,
    };
    let colours = match global.color {
        ColorChoice::Auto => Colours::Auto,
        ColorChoice::Always => Colours::Always,
        ColorChoice::Never => Colours::Never,
    };
    logging::init(format, colours, levels).map_err(|error| Failure::new(ExitCode::Software, error))
}

/// The shards' configuration. Number and first offsets are set where a shard is opened; alerts
/// begin with the first boundary unless the caller says otherwise.
#[must_use]
pub fn shard_config(config: &Config) -> ShardConfig {
    let engine = &config.engine;
    ShardConfig {
        shard: ShardNo::new(0),
        policy: config.policy.clone(),
        length: engine.boundary,
        future_days: future_days(engine),
        limits: Limits {
            orders: engine.max_orders,
            orphans: engine.max_orphans,
            pending: engine.max_pending_records,
            // A shard cannot number more, whatever the configuration allows.
            accounts: engine.max_accounts.min(MAX_ACCOUNTS),
        },
        start: AlertingStart::Earliest,
        statuses: false,
        matters: config.advice.enabled,
        hash_seed: RandomState::new().hash_one("odrwatch"),
        first: [NextOffset::stated(0); 4],
    }
}

/// What advice is made by; none where it is off.
#[must_use]
pub fn advice_rules(config: &Config) -> Option<AdviceRules> {
    let advice = &config.advice;
    let rules = AdviceRules { quotes: advice.quote_evidence, terms: advice.terms };
    advice.enabled.then_some(rules)
}

/// How many days after an as-of day an accepted purchase may lie: as far as an event may be ahead
/// of its record and a purchase of its event, and one day more for a day of 23 hours.
fn future_days(engine: &EngineConfig) -> u32 {
    let ahead_ms = engine.max_ahead_ms.saturating_add(engine.purchase_ahead_ms);
    let days = (ahead_ms + DAY_MS - 1).div_euclid(DAY_MS) + 1;
    u32::try_from(days).expect("both keys are at most a year").max(2)
}

/// What records are held to, where each input has so many partitions.
#[must_use]
pub fn input_limits(config: &Config, partitions: u32) -> input::Limits {
    let engine = &config.engine;
    input::Limits {
        max_record_bytes: engine.max_record_bytes,
        max_ahead_ms: engine.max_ahead_ms,
        purchase_ahead_ms: engine.purchase_ahead_ms,
        partitioner: match engine.partitioner {
            Partitioner::Murmur2 => partition::Partitioner::Murmur2,
            Partitioner::Consistent => partition::Partitioner::Crc32,
            Partitioner::Off => partition::Partitioner::Off,
        },
        partitions,
    }
}

/// Measures how long a command takes.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts it.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "tells the pace of work, and decides nothing")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since the start.
    #[must_use]
    pub fn ms(self) -> i64 {
        i64::try_from(self.0.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(sets: &[&str]) -> Config {
        config::load(&Sources {
            sets: sets.iter().map(|set| (*set).to_owned()).collect(),
            host_name: Some("host".to_owned()),
            ..Sources::default()
        })
        .unwrap()
    }

    #[test]
    fn the_window_reaches_as_far_ahead_as_purchases_are_accepted() {
        // 1 h + 24 h reach into the second day, and a short day lets them reach the third.
        assert_eq!(shard_config(&with(&[])).future_days, 3);
        let none = with(&["max_ahead_ms=0", "purchase_ahead_ms=0"]);
        assert_eq!(shard_config(&none).future_days, 2);
        let most = with(&["max_ahead_ms=31536000000", "purchase_ahead_ms=31536000000"]);
        assert_eq!(shard_config(&most).future_days, 731);
    }

    #[test]
    fn defaults_are_those_of_the_specification() {
        let config = with(&[]);
        assert_eq!(input_limits(&config, 8), input::Limits::with_partitions(8));
        let shard = shard_config(&config);
        assert_eq!(shard.length.ms(), 5_000);
        assert_eq!(shard.limits.accounts, 1_000_000);
        let most = shard_config(&with(&["max_accounts=4000000000"]));
        assert_eq!(most.limits.accounts, MAX_ACCOUNTS);
    }
}
