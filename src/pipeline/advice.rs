//! From comments to notes and quotes, from matters to records: where the engine meets the advice.
//!
//! ```text
//! record of a negative feedback ──> comment ──> reading ──> note   (with the fact, in the state)
//!                                                      └──> quotes (beside the shard, until its
//!                                                                   boundary closes)
//! matter of a closed boundary   ──> note, policy terms ──> advice record
//! ```
//!
//! Invariants: a comment lives as long as one call of [`Reader::read`]; of its words only quotes
//! leave that, and these only where the configuration wants them; nothing of either is logged.

use std::collections::BTreeMap;

use super::ports::{OutRecord, OutTopic};
use crate::advice::{
    BlockerKind, Decision, Facts, Finding, Noted, Rule, Span, Terms, Verdicts, deadlines, wanted,
};
use crate::domain::care::{Ending, Matter, OpenMatter, Told};
use crate::domain::event::{DefectEvent, DefectFact, Event, FeedbackStatus};
use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::domain::note::{MAX_NOTE_BYTES, Note};
use crate::domain::policy::Policy;
use crate::wire::advice::{self, CommentRead, Found, RuleFound, Subject};
use crate::wire::input::comment_of;

/// The longest quotation, in bytes.
const QUOTED_BYTES: usize = 400;

/// What the advice is made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdviceRules {
    /// Whether words of comments may be written.
    pub quotes: bool,
    /// How long one may act.
    pub terms: Terms,
}

impl Default for AdviceRules {
    fn default() -> Self {
        Self { quotes: true, terms: Terms::default() }
    }
}

impl AdviceRules {
    /// Who reads comments by these rules and a policy.
    #[must_use]
    pub const fn reader(&self, policy: &Policy) -> Reader {
        Reader { negative_rating_max: policy.negative_rating_max, quotes: self.quotes }
    }
}

/// What was found in one record's comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// What is kept with the fact.
    pub note: Note,
    /// The value of the record of quotes, if these are wanted.
    pub quotes: Option<Vec<u8>>,
}

/// Reads the comments of negative feedback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Greatest number of stars that is a negative feedback.
    pub negative_rating_max: u8,
    /// Whether words of comments may be written.
    pub quotes: bool,
}

impl Reader {
    /// Reads the comment of a record, if it is a negative feedback that stands.
    #[must_use]
    pub fn read(&self, event: &Event<'_>, value: &[u8]) -> Option<Read> {
        let Event::Defect(defect) = event else { return None };
        let DefectFact::Feedback { status, rating } = defect.fact else { return None };
        let stands = matches!(status, FeedbackStatus::Posted | FeedbackStatus::Updated);
        if !stands || rating > self.negative_rating_max {
            return None;
        }
        let comment = comment_of(value);
        let reading = crate::advice::read(&comment);
        let bytes = Noted::bytes_of(&reading, MAX_NOTE_BYTES);
        let note = Note::new(&bytes).expect("a reading is kept in as many bytes as a note has");
        let quotes = self.quotes.then(|| quotes_of(defect, &comment, &bytes));
        Some(Read { note, quotes })
    }
}

/// The value of the record of quotes: of what the note lists, all that has words.
fn quotes_of(defect: &DefectEvent<'_>, comment: &str, bytes: &[u8]) -> Vec<u8> {
    let noted = Noted::of_bytes(bytes).expect("what was written just now is read");
    let mut read = comment_read(&noted, &noted.decide(Facts::default()));
    for rule in &mut read.rules {
        rule.verdict = None;
        for found in rule.evidence.iter_mut().chain(&mut rule.blockers) {
            let span = found.place.map(|(start, end)| Span { start, end });
            found.text = span.map(|span| cut(span.of(comment)));
        }
        rule.evidence.retain(|found| found.text.is_some());
        rule.blockers.retain(|found| found.text.is_some());
    }
    read.rules.retain(|rule| !(rule.evidence.is_empty() && rule.blockers.is_empty()));
    let mut value = Vec::with_capacity(512);
    let order_id = defect.order.to_string();
    let stated_ms = defect.event_time.ms();
    advice::write_quotes(defect.seller.as_str(), &order_id, stated_ms, &read, &mut value);
    value
}

fn cut(words: &str) -> &str {
    &words[..words.floor_char_boundary(QUOTED_BYTES)]
}

/// A note with its verdicts, in words.
fn comment_read(noted: &Noted, verdicts: &Verdicts) -> CommentRead<'static> {
    let place = |span: Span| (span.start, span.end);
    let rules = Rule::ALL.map(|rule| {
        let verdict = verdicts.of(rule);
        let evidence = verdict.evidence.iter().map(|one| Found {
            kind: Finding::as_str(one.finding),
            place: Some(place(one.span)),
            text: None,
        });
        let blockers = verdict.blockers.iter().map(|one| Found {
            kind: BlockerKind::as_str(one.kind),
            place: one.span.map(place),
            text: None,
        });
        RuleFound {
            rule: rule.as_str(),
            verdict: Some(verdict.decision.as_str()),
            evidence: evidence.collect(),
            blockers: blockers.collect(),
        }
    });
    CommentRead {
        version: noted.version,
        language: verdicts.language.map(crate::advice::Language::as_str),
        reason: verdicts.reason.as_str(),
        is_cut: noted.is_cut,
        rules: rules.into(),
    }
}

/// The record of a matter; a tombstone where it is closed.
fn record(matter: &Matter, terms: &Terms, shard: ShardNo) -> OutRecord {
    let subject = subject(matter);
    let value = matter.open.as_ref().map(|open| {
        let mut value = Vec::with_capacity(1024);
        write_value(subject, open, terms, &mut value);
        value
    });
    out_record(shard, advice::key(&subject), value)
}

fn subject(matter: &Matter) -> Subject<'_> {
    Subject {
        seller_id: &matter.seller_id,
        order_id: &matter.order_id,
        kind: matter.kind,
        reference: matter.reference.as_deref(),
    }
}

/// Appends the value of an open matter's record.
fn write_value(subject: Subject<'_>, open: &OpenMatter, terms: &Terms, out: &mut Vec<u8>) {
    let facts = Facts {
        channel: Some(open.channel),
        buy_shipping: open.buy_shipping,
        shipped_on_time: open.shipped_on_time,
    };
    let noted = open.note.as_ref().and_then(|note| Noted::of_bytes(note.as_bytes()));
    let read = noted.map(|noted| comment_read(&noted, &noted.decide(facts)));
    let until = deadlines(&open.fact, open.opened, open.stated, terms);
    let [live, official] = open.gains.map(|gain| gain.leaves_on);
    let advice = advice::Advice {
        subject,
        matter: open,
        read,
        wanted: wanted(&open.fact).iter().map(|one| one.as_str()).collect(),
        deadlines: until.iter().map(|one| (one.step.as_str(), one.until_ms)).collect(),
        moot_on: live.max(official),
    };
    advice::write_value(&advice, out);
}

fn out_record(shard: ShardNo, key: Vec<u8>, value: Option<Vec<u8>>) -> OutRecord {
    OutRecord {
        topic: OutTopic::Advice,
        partition: Some(shard),
        key: Some(key),
        value,
        headers: Vec::new(),
        timestamp_ms: None,
    }
}

/// Values of quotes that wait for their records' boundaries.
#[derive(Debug, Default)]
pub struct WaitingQuotes {
    values: BTreeMap<Offset, Vec<u8>>,
    bytes: usize,
}

impl WaitingQuotes {
    /// Keeps the quotes of a record.
    pub fn keep(&mut self, offset: Offset, value: Vec<u8>) {
        self.bytes += value.len();
        self.values.insert(offset, value);
    }

    /// Bytes that wait.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The record of what is told: none where the words of a quote are not at hand, because they
    /// were not wanted when its record was read.
    pub fn record_of(
        &mut self,
        told: Told<'_>,
        terms: &Terms,
        shard: ShardNo,
    ) -> Option<OutRecord> {
        let quote = match told {
            Told::Matter(matter) => return Some(record(matter, terms, shard)),
            Told::Quote(quote) => quote,
        };
        let value = match quote.offset {
            None => None,
            Some(offset) => Some(self.take(offset)?),
        };
        let key = advice::quotes_key(&quote.seller_id, &quote.order_id);
        Some(out_record(shard, key, value))
    }

    fn take(&mut self, offset: Offset) -> Option<Vec<u8>> {
        let value = self.values.remove(&offset)?;
        self.bytes -= value.len();
        Some(value)
    }

    /// Forgets what lies before a closed position.
    pub fn forget_before(&mut self, next: NextOffset) {
        while let Some(first) = self.values.first_entry()
            && first.key().next() <= next
        {
            self.bytes -= first.remove().len();
        }
    }
}

/// The rules under which a feedback that ended was held to be eligible.
#[must_use]
pub fn eligible_rules(ending: &Ending) -> [bool; 5] {
    let facts = Facts {
        channel: ending.channel,
        buy_shipping: ending.buy_shipping,
        shipped_on_time: ending.shipped_on_time,
    };
    match Noted::of_bytes(ending.note.as_bytes()) {
        Some(noted) => noted.compact.decide(facts).map(|one| one == Decision::Eligible),
        None => [false; 5],
    }
}
