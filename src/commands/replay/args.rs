//! The arguments of `replay`.

use std::path::PathBuf;

use clap::Args;

use crate::commands::args::{ConfigArgs, OutputFormat, parse_time};
use crate::domain::time::RecordTime;

/// `replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// Files of records, one JSON object each; - is the standard input
    #[arg(value_name = "FILE", required_unless_present = "from_kafka")]
    pub files: Vec<PathBuf>,
    /// Read the topics up to their present ends instead of files
    #[arg(long, conflicts_with = "files")]
    pub from_kafka: bool,
    /// Stop at what was known at this time of the records (RFC 3339, or ms since 1970)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<RecordTime>,
    /// Recorded decisions: lines of JSON, or a dump of the progress topic
    #[arg(long, value_name = "FILE")]
    pub decisions: Option<PathBuf>,
    /// Partitions of each topic [default: 1 + the largest in the files]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub partitions: Option<u32>,
    /// Policy file (YAML or JSON) in place of the configured policy
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Directory for the four result files; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How the summary is printed; the full results go to --out
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: OutputFormat,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}
