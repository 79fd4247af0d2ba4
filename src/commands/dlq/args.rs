//! The arguments of `dlq`. No behaviour.

use clap::{Args, Subcommand, ValueEnum};

use crate::commands::args::{ConfigArgs, parse_time};
use crate::domain::event::DeadReason;
use crate::domain::ids::{Offset, ShardNo};
use crate::domain::time::RecordTime;

/// `dlq`.
#[derive(Clone, Debug, Subcommand)]
pub enum DlqCommand {
    /// List dead letters, oldest first; what they hold is never shown
    #[command(after_help = "\
Examples:
  odrwatch dlq list -c odrwatch.yaml --newest-first
  odrwatch dlq list -c odrwatch.yaml --reason misrouted,bad_time --topic claims --limit 1000
  odrwatch dlq list -c odrwatch.yaml --since 2026-01-31T00:00:00Z --format json")]
    List(ListArgs),
    /// Show one dead letter: where it came from, why it is dead, its headers
    #[command(after_help = "\
Examples:
  odrwatch dlq show -c odrwatch.yaml 3/41
  odrwatch dlq show -c odrwatch.yaml 3/41 --payload     may hold what a buyer wrote

Ends with 64 if there is no dead letter at that place.")]
    Show(ShowArgs),
    /// Count dead letters by topic and reason, each with its first and last time
    #[command(after_help = "\
Example:
  odrwatch dlq stats -c odrwatch.yaml --since 2026-01-31T00:00:00Z")]
    Stats(StatsArgs),
    /// Give dead letters back to the partitions that they came from, byte for byte
    #[command(after_help = "\
Examples:
  odrwatch dlq requeue -c odrwatch.yaml --reason bad_time --dry-run
  odrwatch dlq requeue -c odrwatch.yaml --reason bad_time --yes
  odrwatch dlq requeue -c odrwatch.yaml 3/41 3/57 --yes

Only letters that the present configuration would read are given back: the rest would become dead
letters again. Each is given back once, however often this is run: a receipt beside it says so.
Letters named by their place are given back all or none; else this ends with 64. Two runs at the
same time: the first one ends with 75.")]
    Requeue(RequeueArgs),
}

/// Which dead letters.
#[derive(Clone, Debug, Default, Args)]
pub struct FilterArgs {
    /// Only with these reasons, such as parse,misrouted
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = parse_reason)]
    pub reason: Vec<DeadReason>,
    /// Only of these input topics, by their names or as orders, feedback, claims, chargebacks
    #[arg(long, value_name = "TOPIC", value_delimiter = ',')]
    pub topic: Vec<String>,
    /// Only of this partition of the input
    #[arg(long, value_name = "N")]
    pub partition: Option<u32>,
    /// Only records with this timestamp or a later one (RFC 3339, or ms since 1970)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<RecordTime>,
    /// Only records with an earlier timestamp than this
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<RecordTime>,
}

/// `dlq list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Which dead letters.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// At most so many
    #[arg(
        long,
        value_name = "N",
        default_value_t = 50,
        value_parser = clap::value_parser!(u32).range(1..=100_000)
    )]
    pub limit: u32,
    /// The newest ones, newest first
    #[arg(long)]
    pub newest_first: bool,
    /// How they are printed
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `dlq show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// The letter's partition and offset in the dead-letter topic, as `dlq list` shows them
    #[arg(value_name = "PARTITION/OFFSET")]
    pub place: Place,
    /// Show also key, value and foreign headers, escaped; they may hold what a buyer wrote
    #[arg(long)]
    pub payload: bool,
    /// How it is printed
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `dlq stats`.
#[derive(Clone, Debug, Args)]
pub struct StatsArgs {
    /// Which dead letters.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// How they are printed
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `dlq requeue`.
#[derive(Clone, Debug, Args)]
#[command(group = clap::ArgGroup::new("confirmation").required(true).args(["dry_run", "yes"]))]
pub struct RequeueArgs {
    /// Letters by their partitions and offsets in the dead-letter topic, instead of a filter
    #[arg(
        value_name = "PARTITION/OFFSET",
        conflicts_with_all = ["reason", "topic", "partition", "since", "until"]
    )]
    pub places: Vec<Place>,
    /// Which dead letters.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// At most so many, the oldest first
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000,
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    pub limit: u32,
    /// Only say what would be given back
    #[arg(long)]
    pub dry_run: bool,
    /// Do it
    #[arg(long)]
    pub yes: bool,
    /// How it is printed
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables for people
    Table,
    /// One JSON object a line
    Json,
}

/// The place of a letter in the dead-letter topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its partition.
    pub partition: ShardNo,
    /// Its offset.
    pub offset: Offset,
}

impl std::str::FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let place = || {
            let (partition, offset) = text.split_once('/')?;
            let partition: i32 = partition.parse().ok()?;
            let offset: i64 =
                offset.parse().ok().filter(|offset| (0..i64::MAX).contains(offset))?;
            let partition = ShardNo::new(u32::try_from(partition).ok()?);
            Some(Self { partition, offset: Offset::new(offset) })
        };
        place().ok_or("not a partition and an offset such as 3/41")
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.partition, self.offset)
    }
}

fn parse_reason(text: &str) -> Result<DeadReason, String> {
    DeadReason::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or_else(|| {
        let known = DeadReason::ALL.map(DeadReason::as_str).join(", ");
        format!("no reason of a dead letter; these are: {known}")
    })
}

#[cfg(test)]
mod tests {
    use crate::commands::args::Cli;
    use crate::commands::exit::ExitCode;

    fn code(line: &str) -> Option<ExitCode> {
        Cli::from_line(line.split_whitespace()).err()
    }

    #[test]
    fn what_is_wrong_with_a_command_line_is_told_before_a_broker_is_asked() {
        for line in [
            "odrwatch dlq list --reason parse,misrouted --topic orders --newest-first --limit 9",
            "odrwatch dlq show 3/41 --payload --format json",
            "odrwatch dlq stats --since 2026-01-31T00:00:00Z --partition 2",
            "odrwatch dlq requeue 3/41 0/0 --dry-run",
            "odrwatch dlq requeue --reason bad_time --yes",
        ] {
            assert_eq!(code(line), None, "{line}");
        }
        for line in [
            "odrwatch dlq",
            "odrwatch dlq list --reason odd",
            "odrwatch dlq list --limit 0",
            "odrwatch dlq show 3",
            "odrwatch dlq show 3/-1",
            "odrwatch dlq show 3000000000/1",
            // Nothing is given back unless it is said that it shall be, and what.
            "odrwatch dlq requeue 3/41",
            "odrwatch dlq requeue --yes --dry-run",
            "odrwatch dlq requeue 3/41 --reason parse --yes",
        ] {
            assert_eq!(code(line), Some(ExitCode::Usage), "{line}");
        }
    }
}
