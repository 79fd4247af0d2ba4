//! The worklist of a replay's results: `advice.jsonl` and `totals.jsonl` of its `--out`.
//!
//! The advice is a log: of each key the last line counts. Invariant: a line that is not what these
//! files hold ends the command with its place.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Accounts;
use super::args::CareArgs;
use crate::advice::worklist::{Case, Item, Judged, Standing};
use crate::advice::{Decision, Language, Reason, Rule};
use crate::commands::exit::ExitCode;
use crate::commands::failure::{Failure, FileError};
use crate::domain::event::{
    Channel, ChargebackReason, ChargebackStatus, ClaimStatus, DefectFact, FeedbackStatus,
};
use crate::domain::policy::{Counting, Policy, View};
use crate::domain::rate::Rate;
use crate::domain::time::{Day, EventTime, Zone};
use crate::http::api::care::{Care, QuotesOf, RuleOf, WorkOf};
use crate::http::api::work::{Worked, work_item};
use crate::wire::states::state_of;
use crate::wire::time::parse_instant;

/// What is wrong with a file of results.
#[derive(Debug, thiserror::Error)]
#[error("{name}:{line}: {what}")]
struct LineError {
    name: String,
    line: usize,
    what: String,
}

#[derive(Deserialize)]
struct AdviceLine {
    key: String,
    value: Option<Value>,
}

/// The part of an advice record that is read.
#[derive(Deserialize)]
struct Advice {
    seller_id: String,
    marketplace_id: String,
    subject: String,
    order_id: String,
    #[serde(rename = "ref")]
    reference: Option<String>,
    boundary: String,
    opened: String,
    stated: String,
    state: String,
    provisional: bool,
    rating: Option<u8>,
    purchase_day: String,
    channel: String,
    language: Option<String>,
    reason: Option<String>,
    rules: Option<Vec<RuleOf>>,
}

#[derive(Deserialize)]
struct Total {
    seller_id: String,
    marketplace_id: String,
    scope: String,
    view: String,
    as_of: String,
    orders: u32,
    defective_orders: u32,
}

/// Seller and marketplace.
type Name = (String, String);

/// The rates of an account by view and channel, and its as-of day.
type Rates = ([[Rate; 2]; 2], Day);

/// The worklist of a replay's results.
///
/// # Errors
/// 69 where a file cannot be read, 64 where it is none of a replay.
pub(super) fn worklist(
    directory: &Path,
    args: &CareArgs,
    (policy, care): (&Policy, &Care),
) -> Result<(WorkOf, Accounts), Failure> {
    let rates = totals(&directory.join("totals.jsonl"))?;
    let latest = rates.values().map(|(_, as_of)| *as_of).max().unwrap_or(Day::from_number(0));
    let (advice, quotes) = records(&directory.join("advice.jsonl"))?;
    let mut by_account: BTreeMap<Name, Vec<(Advice, usize)>> = BTreeMap::new();
    for (record, line) in advice {
        if is_wanted(args, &record.seller_id, &record.marketplace_id) {
            let name = (record.seller_id.clone(), record.marketplace_id.clone());
            by_account.entry(name).or_default().push((record, line));
        }
    }
    let mut items: Vec<(Item, Vec<RuleOf>)> = Vec::new();
    let mut work = WorkOf { judged: care.judges, ..WorkOf::default() };
    let file = directory.join("advice.jsonl");
    let count = by_account.len();
    for (name, records) in by_account {
        let wrong = |line, what: &str| told(&file, line, what.to_owned());
        // An account without a total has no order in any view.
        let (account, as_of) = rates.get(&name).copied().unwrap_or((Default::default(), latest));
        let (mut cases, mut rules) = (Vec::new(), Vec::new());
        // Up to its end: the start of its last day, or the last boundary that is told.
        let mut now_ms = policy.time_zone.end_of(as_of.plus(-1));
        for (tag, (record, line)) in records.into_iter().enumerate() {
            let boundary = parse_instant(&record.boundary);
            now_ms = now_ms.max(boundary.ok_or_else(|| wrong(line, "boundary is no instant"))?);
            let case =
                case_of(&record, tag).ok_or_else(|| wrong(line, "is no advice of a replay"))?;
            cases.push(case);
            let quoted = quotes.get(&(record.seller_id, record.order_id));
            let read = record.rules.unwrap_or_default();
            rules.push(quoted.map_or(read.clone(), |quoted| quoted.words_for(read)));
        }
        let (seller_id, marketplace_id) = (name.0.as_str(), name.1.as_str());
        let standing = Standing { seller_id, marketplace_id, rates: account, as_of, now_ms };
        let worked = Worked::new(&standing, cases, rules, (policy, care));
        items.extend(worked.items().map(|(item, rules)| (item.clone(), rules.to_vec())));
        work.left_alone += worked.left_alone();
        work.shares.extend(worked.share());
    }
    items.sort_unstable_by(|(left, _), (right, _)| left.order(right));
    let most = usize::try_from(args.limit).expect("usize has at least 32 bits here");
    let language = args.language.map(Language::from);
    let first = items.iter().take(most);
    work.total = items.len();
    work.items = first.map(|(item, rules)| work_item(item, rules, language, care)).collect();
    Ok((work, Accounts { looked_at: count, with_defects: count }))
}

fn is_wanted(args: &CareArgs, seller_id: &str, marketplace_id: &str) -> bool {
    let marketplace = args.marketplace.as_deref().map(|name| if name == "-" { "" } else { name });
    args.seller.as_deref().is_none_or(|seller| seller == seller_id)
        && marketplace.is_none_or(|name| name == marketplace_id)
}

fn told(path: &Path, line: usize, what: String) -> Failure {
    Failure::new(ExitCode::Usage, LineError { name: path.display().to_string(), line, what })
}

/// The lines of a file of JSON, with their numbers.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<(T, usize)>, Failure> {
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| {
        FileError::failure("read", path, error)
            .during("--from takes the directory of a replay's --out")
    })?;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty());
    let read = lines.map(|(number, line)| {
        let value = serde_json::from_str(line);
        let value = value.map_err(|error| told(path, number, error.to_string()))?;
        Ok((value, number))
    });
    read.collect()
}

/// What stands of the advice, in the order of keys, and the quotes by seller and order.
#[expect(clippy::type_complexity, reason = "two lists that are used at once")]
fn records(
    path: &Path,
) -> Result<(Vec<(Advice, usize)>, BTreeMap<(String, String), QuotesOf>), Failure> {
    let mut last: BTreeMap<String, (Option<Value>, usize)> = BTreeMap::new();
    for (line, number) in read::<AdviceLine>(path)? {
        last.insert(line.key, (line.value, number));
    }
    let (mut advice, mut quotes) = (Vec::new(), BTreeMap::new());
    for (value, number) in last.into_values() {
        let Some(value) = value else { continue };
        let wrong = |error: serde_json::Error| told(path, number, error.to_string());
        if value["record"] == "quotes" {
            let of: QuotesOf = serde_json::from_value(value).map_err(wrong)?;
            quotes.insert((of.seller_id.clone(), of.order_id.clone()), of);
        } else {
            advice.push((serde_json::from_value(value).map_err(wrong)?, number));
        }
    }
    Ok((advice, quotes))
}

fn totals(path: &Path) -> Result<BTreeMap<Name, Rates>, Failure> {
    let mut rates: BTreeMap<Name, Rates> = BTreeMap::new();
    for (total, number) in read::<Total>(path)? {
        let view = View::ALL.into_iter().find(|view| view.as_str() == total.view);
        let channel = Channel::ALL.into_iter().find(|channel| channel.as_str() == total.scope);
        let (Some(view), Some(as_of)) = (view, day_of(&total.as_of)) else {
            return Err(told(path, number, "is no total of a replay".to_owned()));
        };
        let name = (total.seller_id, total.marketplace_id);
        let of = rates.entry(name).or_insert((Default::default(), as_of));
        if let Some(channel) = channel {
            of.0[view.index()][channel.index()] =
                Rate { defective: total.defective_orders, orders: total.orders };
        }
    }
    Ok(rates)
}

fn day_of(text: &str) -> Option<Day> {
    let start_ms = parse_instant(&format!("{text}T00:00:00Z"))?;
    Some(Day::of(start_ms, &Zone::utc()))
}

fn case_of(record: &Advice, tag: usize) -> Option<Case> {
    let channel = Channel::ALL.into_iter().find(|channel| channel.as_str() == record.channel)?;
    let instant = |text: &str| Some(EventTime::from_ms(parse_instant(text)?));
    Some(Case {
        order_id: record.order_id.as_str().into(),
        reference: record.reference.as_deref().map(Into::into),
        purchase_day: day_of(&record.purchase_day)?,
        channel,
        fact: fact_of(record)?,
        opened: instant(&record.opened)?,
        stated: instant(&record.stated)?,
        counting: if record.provisional { Counting::Provisional } else { Counting::Final },
        judged: record.reason.as_deref().and_then(|reason| judged(record, reason)),
        tag,
    })
}

fn judged(record: &Advice, reason: &str) -> Option<Judged> {
    let rules = record.rules.as_deref().unwrap_or_default();
    let decision = |rule: Rule| {
        let read = rules.iter().find(|read| read.rule == rule.as_str())?;
        Decision::ALL.into_iter().find(|decision| decision.as_str() == read.verdict)
    };
    Some(Judged {
        decisions: Rule::ALL.map(|rule| decision(rule).unwrap_or(Decision::Not)),
        reason: Reason::ALL.into_iter().find(|one| one.as_str() == reason)?,
        language: record
            .language
            .as_deref()
            .and_then(|name| Language::ALL.into_iter().find(|language| language.as_str() == name)),
    })
}

/// The fact whose state has this name; of a claim and a chargeback, what counts is enough.
fn fact_of(record: &Advice) -> Option<DefectFact> {
    let rating = record.rating.unwrap_or(1);
    let feedback = [
        FeedbackStatus::Posted,
        FeedbackStatus::Updated,
        FeedbackStatus::Withdrawn,
        FeedbackStatus::StruckThrough,
        FeedbackStatus::Removed,
    ]
    .map(|status| DefectFact::Feedback { status, rating });
    let claims = [
        ClaimStatus::Filed,
        ClaimStatus::UnderReview,
        ClaimStatus::Granted,
        ClaimStatus::Denied,
        ClaimStatus::Withdrawn,
        ClaimStatus::ClosedRefunded,
        ClaimStatus::Appealed,
        ClaimStatus::Reversed,
    ]
    .map(|status| DefectFact::Claim { status, funded_by: None, odr_impact: None });
    let reason = ChargebackReason::Service;
    let chargebacks = [
        ChargebackStatus::Opened,
        ChargebackStatus::UnderReview,
        ChargebackStatus::Lost,
        ChargebackStatus::Won,
        ChargebackStatus::Reversed,
    ]
    .map(|status| DefectFact::Chargeback { status, reason, odr_impact: None });
    let known: &[DefectFact] = match record.subject.as_str() {
        "feedback" => &feedback,
        "claim" => &claims,
        "chargeback" => &chargebacks,
        _ => &[],
    };
    known.iter().copied().find(|fact| state_of(*fact) == record.state)
}
