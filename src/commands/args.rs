//! The command line: every command, its arguments and its help. No behaviour.
//!
//! Invariants: a wrong command line ends with exit code 64 (not clap's 2); whatever can also be
//! configured has the same name here and there. Absent on purpose: defaults of the configuration.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, ColorChoice, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::advise::args::AdviseArgs;
use super::dlq::args::DlqCommand;
use super::exit::ExitCode;
pub use super::replay::args::ReplayArgs;
pub use super::verify::args::VerifyArgs;
use crate::config::LogFormat;
use crate::domain::time::RecordTime;
use crate::pipeline::replay::LAST_MS;
use crate::sim::story::RECORDS_PER_SECOND;
use crate::wire::time::parse_instant;

/// What `--help` says after the options.
const AFTER_HELP: &str = "\
Examples:
  odrwatch demo                               a synthetic market, no Kafka needed
  odrwatch validate -c odrwatch.yaml          list every mistake of a configuration
  odrwatch topics create -c odrwatch.yaml     create the topics
  odrwatch run -c odrwatch.yaml               the service
  odrwatch replay dump.jsonl --out result     compute the same from files

Exit codes:
   0  done, or stopped as asked
   1  verify: what is committed is not what the inputs give
  64  the command line, or a file that it names, is wrong
  65  the inputs do not give what was committed; they were changed
  66  retention dropped records before they were read
  69  brokers or a file cannot be reached
  70  a broken invariant; a restart does not help
  74  the end of an input's log was lost
  75  passing trouble, or a newer instance took over; restart
  76  a newer version wrote the progress topic
  77  the broker refused us (authentication, authorisation)
  78  the configuration or the topics are wrong; `odrwatch validate` lists how
  79  an input has another number of partitions than before
  80  an input was deleted, or is another topic than before

Every configuration key can also be set by an environment variable, such as
ODRWATCH__KAFKA__BOOTSTRAP_SERVERS for kafka.bootstrap_servers, and by --set.";

/// Computes the Order Defect Rate of marketplace sellers live from Kafka topics, exactly once
#[derive(Clone, Debug, Parser)]
#[command(
    name = "odrwatch",
    version,
    about,
    after_help = AFTER_HELP,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What holds for every command.
#[derive(Clone, Debug, Args)]
pub struct GlobalArgs {
    /// Form of log lines; auto is text on a terminal and JSON elsewhere [default: log.format]
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Global options")]
    pub log_format: Option<LogFormat>,
    /// Log more; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
    /// Log less; twice for errors only
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global options")]
    pub quiet: u8,
    /// Whether log lines of text are coloured
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Global options"
    )]
    pub color: ColorChoice,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the service: four topics in, alerts out, until it is stopped
    #[command(after_help = "\
Example:
  odrwatch run -c odrwatch.yaml --set engine.workers=4

Stops cleanly on SIGTERM and SIGINT: what is not committed is computed again at the next start.
Several processes with the same kafka.group share the work; each needs its own kafka.instance.")]
    Run(RunArgs),
    /// Compute alerts and totals from files or from the topics' present contents, and end
    #[command(after_help = "\
Examples:
  kcat -b localhost:9092 -t orders -C -e -J > orders.jsonl
  odrwatch replay orders.jsonl feedback.jsonl claims.jsonl chargebacks.jsonl --out result
  odrwatch replay - --format json < all.jsonl
  odrwatch replay --from-kafka -c odrwatch.yaml --until 2026-01-31T00:00:00Z
  odrwatch replay dump.jsonl --policy stricter.yaml    what would another policy have said?

Files hold records as `kcat -J` or `rpk topic consume -f json` write them; the topics are told by
their names in the configuration. Each topic may have files of its own, or several; the records of
a partition must come in the order of their offsets, within a file and from file to file. --out
writes alerts.jsonl, totals.jsonl, dead.jsonl and outcomes.json. A file that cannot be read ends
with 69, and one that holds something else with 64 and the line.")]
    Replay(ReplayArgs),
    /// Compute everything again from the topics and compare it with what is committed
    #[command(after_help = "\
Examples:
  odrwatch verify -c odrwatch.yaml                   while the service runs, or without it
  odrwatch verify -c odrwatch.yaml --format json

Lists every alert that is missing, extra or different, and every digest that is not what was
committed. Ends with 0 if there is none and with 1 if there are; with another code if it could not
tell. Where retention has passed the first record, it begins with the oldest snapshot that fits.")]
    Verify(VerifyArgs),
    /// Show a synthetic market: 90 days of history in seconds, then on in real time
    #[command(after_help = "\
Examples:
  odrwatch demo                                in memory, no Kafka needed
  odrwatch demo --kafka localhost:9092         on a real cluster
  odrwatch demo --for 20 --seed 7              stop by itself; the same market each time")]
    Demo(DemoArgs),
    /// Check a configuration and list all its mistakes at once
    #[command(after_help = "\
Example:
  odrwatch validate -c odrwatch.yaml && systemctl restart odrwatch
  odrwatch validate -c odrwatch.yaml --against stricter.yaml --days 14

Without --no-environment the topics are looked at, too. Ends with 0 if all is right, with 78 if
configuration or topics have mistakes, and with 69 if no broker answers within 5 seconds.")]
    Validate(ValidateArgs),
    /// Tell of negative feedback whether the marketplace's rules let it be removed
    #[command(after_help = "\
Examples:
  echo 'The lid leaks.' | odrwatch advise
  echo 'Two weeks late!' | odrwatch advise --channel afn
  odrwatch advise --report feedback.tsv --format json

A verdict is eligible, uncertain or not, with the words that speak for a rule and, after a !, what
speaks against it. Many wrong requests are themselves a violation: ask for the removal of eligible
ones, and look at uncertain ones yourself. What is not known of the orders is left out; the flags
hold for all rows of a report.")]
    Advise(AdviseArgs),
    /// Create or check the topics
    #[command(subcommand)]
    Topics(TopicsCommand),
    /// Look at the dead letters of the cluster, or give them back
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Print a JSON Schema (draft 2020-12)
    #[command(after_help = "\
Example:
  odrwatch schema config > odrwatch.schema.json")]
    Schema(SchemaArgs),
    /// Print the completions for a shell
    #[command(after_help = "\
Example:
  odrwatch completions bash > /etc/bash_completion.d/odrwatch")]
    Completions(CompletionsArgs),
    /// Print the manual page
    #[command(after_help = "\
Example:
  odrwatch man > odrwatch.1 && man ./odrwatch.1")]
    Man,
}

/// Where the configuration comes from.
#[derive(Clone, Default, Args)]
pub struct ConfigArgs {
    /// Configuration file (YAML); without one, the defaults hold
    #[arg(short, long, value_name = "FILE", env = "ODRWATCH_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// Set one key over file and environment, such as engine.workers=4; may be repeated
    ///
    /// Keys of engine and policy may be given without their section: `max_ahead_ms=60000`.
    /// Lists are separated by commas: `scopes=all,mfn`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

/// What is set may be secret: only the keys are shown.
impl fmt::Debug for ConfigArgs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.sets.iter().map(|set| set.split_once('=').map_or("", |(key, _)| key));
        formatter
            .debug_struct("ConfigArgs")
            .field("config", &self.config)
            .field("sets", &keys.collect::<Vec<_>>())
            .finish()
    }
}

/// `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Go on behind records that retention dropped before they were read; recorded for ever
    #[arg(long)]
    pub accept_gap: bool,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `demo`.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// Brokers of a real cluster (host:port,...) instead of the one in memory
    #[arg(long, value_name = "BOOTSTRAP")]
    pub kafka: Option<String>,
    /// Number that the synthetic market is made from; the same number makes the same market
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Sellers of the market; each takes about 4 MB of memory
    #[arg(
        long,
        value_name = "N",
        default_value_t = 40,
        value_parser = clap::value_parser!(u32).range(10..=1_000)
    )]
    pub sellers: u32,
    /// Days of history before now
    #[arg(
        long,
        value_name = "DAYS",
        default_value_t = 90,
        value_parser = clap::value_parser!(u32).range(1..=400)
    )]
    pub history_days: u32,
    /// Records per second after the history, about
    #[arg(
        long,
        value_name = "RATE",
        default_value_t = RECORDS_PER_SECOND,
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    pub events_per_second: u32,
    /// Stop by itself after so many seconds in real time
    #[arg(long = "for", value_name = "SECONDS")]
    pub for_seconds: Option<u64>,
    /// Address for HTTP [default: http.listen]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub http: Option<SocketAddr>,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `validate`.
#[derive(Clone, Debug, Args)]
pub struct ValidateArgs {
    /// Check only what is written: read no secret files and ask no broker
    #[arg(long)]
    pub no_environment: bool,
    /// Show what a changed policy (a file) would have said in the last days; reads the topics
    #[arg(long, value_name = "FILE", conflicts_with = "no_environment")]
    pub against: Option<PathBuf>,
    /// How many days --against looks back on
    #[arg(long, value_name = "N", default_value_t = 30, requires = "against")]
    pub days: u32,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `topics`.
#[derive(Clone, Debug, Subcommand)]
pub enum TopicsCommand {
    /// Create the missing ones of the four inputs and the outputs, with the right settings
    #[command(after_help = "\
Examples:
  odrwatch topics create -c odrwatch.yaml --partitions 8 --dry-run
  odrwatch topics create -c odrwatch.yaml --partitions 8 --replication-factor 3

Topics that exist are left alone. Never add partitions to the inputs later: sellers would move.
Ends with 69 if no broker answers within 5 seconds or a topic could not be created, and with 77 if
the brokers do not let us.")]
    Create(TopicsCreateArgs),
    /// Compare the topics with what odrwatch needs and list every difference with its cure
    #[command(after_help = "\
Example:
  odrwatch topics check -c odrwatch.yaml

Ends with 0 if the topics are right, with 78 if they are not, and with 69 if no broker answers
within 5 seconds.")]
    Check(TopicsCheckArgs),
}

/// `topics create`.
#[derive(Clone, Debug, Args)]
pub struct TopicsCreateArgs {
    /// Partitions of each topic; fixed for ever
    #[arg(
        long,
        value_name = "N",
        default_value_t = 8,
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    pub partitions: u32,
    /// Replicas of each partition [default: the broker's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub replication_factor: Option<u32>,
    /// Only print what would be created
    #[arg(long)]
    pub dry_run: bool,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `topics check`.
#[derive(Clone, Debug, Args)]
pub struct TopicsCheckArgs {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `schema`.
#[derive(Clone, Debug, Args)]
pub struct SchemaArgs {
    /// Which schema
    pub name: SchemaName,
}

/// `completions`.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// Which shell
    pub shell: Shell,
}

/// The schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaName {
    /// The configuration file
    Config,
    /// The values of the four input topics
    Events,
    /// The value of an alert
    Alerts,
    /// The value of a record of advice
    Advice,
}

/// What a replay prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Tables for people
    Table,
    /// One JSON object on one line: accounts at risk, alerts, records by outcome
    Json,
}

/// A time on a command line: RFC 3339, or ms since 1970.
pub(super) fn parse_time(text: &str) -> Result<RecordTime, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let ms = if is_number { text.parse().ok() } else { parse_instant(text) };
    ms.filter(|ms| (0..=LAST_MS).contains(ms))
        .map(RecordTime::from_ms)
        .ok_or_else(|| "not a time such as 2026-01-31T00:00:00Z or 1769817600000".to_owned())
}

impl Cli {
    /// Parses a command line, program name first. Help, version and mistakes are printed here.
    ///
    /// # Errors
    /// The exit code to end with: [`ExitCode::Ok`] after help or version, else
    /// [`ExitCode::Usage`].
    pub fn from_line<I, T>(line: I) -> Result<Self, ExitCode>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        Self::try_parse_from(line).map_err(|error| {
            // If even that cannot be printed, the exit code still tells.
            let _ = error.print();
            usage_code(&error)
        })
    }

    /// The whole definition, for completions and the manual page.
    #[must_use]
    pub fn definition() -> clap::Command {
        Self::command()
    }
}

/// The exit code of what clap made of a command line. Help that was not asked for, because the
/// command is missing, is a wrong command line.
#[must_use]
pub fn usage_code(error: &clap::Error) -> ExitCode {
    if error.use_stderr() { ExitCode::Usage } else { ExitCode::Ok }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::definition().debug_assert();
    }

    #[test]
    fn the_help_lists_every_exit_code_with_its_meaning() {
        for code in ExitCode::ALL {
            let line = format!("  {:>2}  {}\n", code.code(), code.meaning());
            assert!(AFTER_HELP.contains(&line), "{line}");
        }
    }

    #[test]
    fn commands_and_their_arguments_are_read() {
        let cli = parse(
            "odrwatch replay a.jsonl - --until 2026-01-31T00:00:00Z --partitions 8 \
             --policy p.json --set a=b --set c=d --format json --out d -vv",
        )
        .unwrap();
        assert_eq!(cli.global.verbose, 2);
        let Command::Replay(replay) = cli.command else {
            panic!("not a replay");
        };
        assert_eq!(replay.files.len(), 2);
        assert_eq!(replay.until.unwrap().ms(), 1_769_817_600_000);
        assert_eq!(replay.config.sets, ["a=b", "c=d"]);
        assert_eq!(replay.format, OutputFormat::Json);
        for line in [
            "odrwatch run -c x.yaml --log-format json",
            "odrwatch --color never demo --kafka b:9092 --for 5 --http 127.0.0.1:0",
            "odrwatch validate -c x.yaml --no-environment",
            "odrwatch topics create --partitions 3 --replication-factor 1 --dry-run",
            "odrwatch topics check -c x.yaml -q",
            "odrwatch schema events",
            "odrwatch completions zsh",
            "odrwatch man",
            "odrwatch advise --report f.tsv --channel mfn --buy-shipping true --profile p.yaml",
            "odrwatch replay --from-kafka -c x.yaml",
            "odrwatch replay a --until 1769817600000",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn what_is_set_is_not_shown() {
        let shown = format!("{:?}", parse("odrwatch run --set a=canary --set canary").unwrap());
        assert!(shown.contains("[\"a\", \"\"]") && !shown.contains("canary"), "{shown}");
    }

    #[test]
    fn wrong_command_lines_are_64_and_help_is_0() {
        for line in [
            "odrwatch",
            "odrwatch fly",
            "odrwatch replay",
            "odrwatch replay a --from-kafka",
            "odrwatch replay a --until yesterday",
            "odrwatch replay a --until 253402300800000",
            "odrwatch replay a --partitions 0",
            "odrwatch schema",
            "odrwatch topics create --partitions none",
            "odrwatch topics",
        ] {
            let code = usage_code(&parse(line).unwrap_err());
            assert_eq!(code, ExitCode::Usage, "{line}");
        }
        for line in ["odrwatch --help", "odrwatch -V", "odrwatch run --help"] {
            assert_eq!(usage_code(&parse(line).unwrap_err()), ExitCode::Ok, "{line}");
        }
    }
}
