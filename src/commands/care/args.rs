//! The arguments of `care`. No behaviour.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::advice::Language;
use crate::commands::args::{ConfigArgs, OutputFormat};

/// `care`.
#[derive(Clone, Debug, Args)]
pub struct CareArgs {
    /// Only this seller
    #[arg(long, value_name = "SELLER")]
    pub seller: Option<String>,
    /// Only this marketplace; - is for accounts without one
    #[arg(long, value_name = "MARKETPLACE")]
    pub marketplace: Option<String>,
    /// Directory of a replay's results instead of a running service
    #[arg(long, value_name = "DIR", conflicts_with_all = ["url", "token_file"])]
    pub from: Option<PathBuf>,
    /// Address of a running service [default: http.listen]
    #[arg(long, value_name = "URL", env = "ODRWATCH_URL")]
    pub url: Option<String>,
    /// File with the token of its API [default: `http.token_file`]
    #[arg(long, value_name = "FILE", env = "ODRWATCH_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// Things to do that are shown at most
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    pub limit: u32,
    /// Show the drafts as well
    #[arg(long)]
    pub drafts: bool,
    /// Language of the drafts [default: the buyer's or the marketplace's]
    #[arg(long, value_name = "LANGUAGE")]
    pub language: Option<LanguageName>,
    /// What to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: OutputFormat,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// A language of drafts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LanguageName {
    /// English
    En,
    /// Deutsch
    De,
    /// Français
    Fr,
    /// Español
    Es,
    /// Italiano
    It,
    /// Português
    Pt,
    /// 日本語
    Ja,
}

impl From<LanguageName> for Language {
    fn from(name: LanguageName) -> Self {
        match name {
            LanguageName::En => Self::En,
            LanguageName::De => Self::De,
            LanguageName::Fr => Self::Fr,
            LanguageName::Es => Self::Es,
            LanguageName::It => Self::It,
            LanguageName::Pt => Self::Pt,
            LanguageName::Ja => Self::Ja,
        }
    }
}
