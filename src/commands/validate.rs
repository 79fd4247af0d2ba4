//! `validate`: whether a configuration is right, and what it says.

use std::fmt::Write;

use super::args::{GlobalArgs, ValidateArgs};
use super::failure::Failure;
use super::{against, output, start, topics};
use crate::config::{AlertsFrom, Config, SnapshotPlace, Sources};
use crate::domain::event::Topic;
use crate::wire::fingerprint::policy_fingerprint;

/// Lists all mistakes, or says what is configured.
///
/// # Errors
/// 78 where there are mistakes, in the configuration or in the topics; the broker's own.
pub fn run(args: &ValidateArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let sources = Sources { without_secrets: args.no_environment, ..start::sources(&args.config) };
    let config = start::load(&sources)?;
    output::print(summary(&config).as_bytes())?;
    if args.no_environment {
        return Ok(());
    }
    start::start_asking_logs(global, &config.log)?;
    output::print(topics::findings(&config)?.as_bytes())?;
    let Some(path) = &args.against else { return Ok(()) };
    output::print(against::compare(&config, path, args.days)?.as_bytes())
}

/// What is configured, in a few lines.
fn summary(config: &Config) -> String {
    let mut text = "The configuration is right.\n".to_owned();
    let mut line = |name: &str, value: String| {
        writeln!(text, "  {name:<12}{value}").expect("a String takes all that is written to it");
    };
    let (kafka, engine, policy) = (&config.kafka, &config.engine, &config.policy);
    line("brokers", kafka.bootstrap_servers.clone());
    let workers = match engine.workers {
        1 => "1 worker".to_owned(),
        count => format!("{count} workers"),
    };
    line("group", format!("{}, as {}, {workers}", kafka.group, kafka.instance));
    line("inputs", Topic::ALL.map(|topic| kafka.topics.input(topic)).join(", "));
    let names = &kafka.topics;
    let mut outputs = vec![&names.alerts, &names.status, &names.dead_letters, &names.progress];
    if config.advice.enabled {
        outputs.push(&names.advice);
    }
    let outputs: Vec<&str> = outputs.into_iter().map(String::as_str).collect();
    line("outputs", outputs.join(", "));
    let from = match engine.alerts_from {
        None => "live, and earliest for replays".to_owned(),
        Some(AlertsFrom::Live) => "live".to_owned(),
        Some(AlertsFrom::Earliest) => "earliest".to_owned(),
        Some(AlertsFrom::At(time)) => crate::wire::time::instant(time.ms()),
    };
    line("alerts", format!("every {} ms of record time, from {from}", engine.boundary.ms()));
    let of = |basis_points: u32| super::show::percent(u64::from(basis_points) * 100);
    line(
        "policy",
        format!(
            "{}: {} days ({}), warning above {}, critical above {}",
            policy_fingerprint(policy, engine.boundary.ms()),
            policy.window_days,
            policy.time_zone.name(),
            of(policy.warning.raise_bp),
            of(policy.critical.raise_bp),
        ),
    );
    let every = config.snapshots.interval.as_millis();
    let place = match &config.snapshots.store {
        SnapshotPlace::Off => "off".to_owned(),
        SnapshotPlace::Kafka => format!("{}, every {every} ms", names.snapshots),
        SnapshotPlace::Directory(path) => format!("{}, every {every} ms", path.display()),
    };
    line("snapshots", place);
    line("http", config.http.listen.to_string());
    text
}
