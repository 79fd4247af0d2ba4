//! The arguments of `advise`. No behaviour.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::commands::args::OutputFormat;
use crate::domain::event::Channel;

/// `advise`.
#[derive(Clone, Debug, Args)]
pub struct AdviseArgs {
    /// File with one comment, or with a report; - is the standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
    /// The input is a feedback report (`GET_SELLER_FEEDBACK_DATA`): its 1 and 2 stars are judged
    #[arg(long)]
    pub report: bool,
    /// Who fulfilled the order [default: not known]
    #[arg(long, value_name = "CHANNEL")]
    pub channel: Option<ChannelName>,
    /// Whether it was shipped with Buy Shipping [default: not known]
    #[arg(long, value_name = "TRUE|FALSE")]
    pub buy_shipping: Option<bool>,
    /// Whether it was shipped on time [default: not known]
    #[arg(long, value_name = "TRUE|FALSE")]
    pub shipped_on_time: Option<bool>,
    /// The seller's own data (YAML: names, `e_mails`, telephones, addresses, handles; all lists)
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// What to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: OutputFormat,
}

/// Who fulfils an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ChannelName {
    /// The seller
    Mfn,
    /// Amazon
    Afn,
}

impl From<ChannelName> for Channel {
    fn from(name: ChannelName) -> Self {
        match name {
            ChannelName::Mfn => Self::Mfn,
            ChannelName::Afn => Self::Afn,
        }
    }
}
