//! The arguments of `verify`.

use clap::{Args, ValueEnum};

use crate::commands::args::ConfigArgs;

/// `verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// How the result is printed
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: VerifyFormat,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// What a verification prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VerifyFormat {
    /// Text for people
    Table,
    /// One JSON object on one line: what was compared, and each difference with both lines
    Json,
}
