//! `topics`: creates the topics, or compares them with what odrwatch needs.

use std::fmt::Write;

use super::args::{ConfigArgs, GlobalArgs, TopicsCommand, TopicsCreateArgs};
use super::exit::ExitCode;
use super::failure::Failure;
use super::{cluster, output, show, start};
use crate::config::Config;
use crate::kafka::{self, Creation, TopicLayout, TopicPlan, TopicState};

/// Creates or checks the topics.
///
/// # Errors
/// As the cluster says, and 78 where topics are not as they must be.
pub fn run(command: &TopicsCommand, global: &GlobalArgs) -> Result<(), Failure> {
    match command {
        TopicsCommand::Create(args) => create(args, &configured(&args.config, global)?),
        TopicsCommand::Check(args) => {
            let text = findings(&configured(&args.config, global)?)?;
            output::print(text.as_bytes())
        }
    }
}

fn configured(args: &ConfigArgs, global: &GlobalArgs) -> Result<Config, Failure> {
    let config = start::load(&start::sources(args))?;
    start::start_asking_logs(global, &config.log)?;
    Ok(config)
}

fn create(args: &TopicsCreateArgs, config: &Config) -> Result<(), Failure> {
    let layout = TopicLayout {
        partitions: args.partitions,
        replication: args.replication_factor,
        horizon_days: config.policy.horizon_days(),
    };
    let creation = if args.dry_run { Creation::DryRun } else { Creation::Create };
    let plans = kafka::create_topics(&cluster::settings_to_ask(config), layout, creation)
        .map_err(|error| cluster::failure_of_asking(&error))?;
    output::print(planned(&plans).as_bytes())?;
    let failed = plans.iter().filter(|plan| matches!(plan.state, TopicState::Failed(_))).count();
    if failed > 0 {
        let failed = i64::try_from(failed).unwrap_or(i64::MAX);
        let problem = format!("{} could not be created", show::count(failed, "topic"));
        return Err(Failure::new(ExitCode::Unavailable, problem));
    }
    Ok(())
}

/// The topics with their settings and what became of them.
fn planned(plans: &[TopicPlan]) -> String {
    let mut table = show::table(&["topic", "partitions", "state", "settings"], 1..2);
    for plan in plans {
        let state = match &plan.state {
            TopicState::Exists => "is there, left as it is".to_owned(),
            TopicState::Missing => "would be created".to_owned(),
            TopicState::Created => "created".to_owned(),
            TopicState::Failed(problem) => format!("not created: {problem}"),
        };
        let settings: Vec<_> =
            plan.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let settings =
            if plan.state == TopicState::Exists { String::new() } else { settings.join(" ") };
        let partitions = match plan.state {
            TopicState::Exists => String::new(),
            _ => plan.partitions.to_string(),
        };
        table.add_row([plan.topic.clone(), partitions, state, settings]);
    }
    show::lines(&table)
}

/// What there is to say of topics that are as they must be.
///
/// # Errors
/// As [`run`].
pub fn findings(config: &Config) -> Result<String, Failure> {
    let facts = cluster::check(config, &cluster::settings_to_ask(config))?;
    let partitions = show::count(i64::from(facts.partitions), "partition");
    let mut text = format!("The topics are right; the inputs have {partitions} each.\n");
    for warning in &facts.warnings {
        writeln!(text, "  warning: {warning}").expect("a String takes all that is written to it");
    }
    Ok(text)
}
