//! What comes out of a closed boundary: alerts, status records, dead letters, outcomes, digest.
//!
//! Invariants: everything is in the order of SEMANTICS sections 6 and 7; nothing here says how it
//! is encoded. Nothing that a buyer wrote can be in it: no type here can hold it (a note is
//! bytes of whoever read it, see [`super::note`]).

use super::care::{Ending, Matter, Quote, Told};
use super::event::{DeadReason, DefectKind, Outcome, Topic};
use super::ids::{Offset, ShardNo};
use super::policy::{Scope, View};
use super::rate::{Headroom, Rate};
use super::time::{Boundary, Day};

/// The kinds of alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertKind {
    /// Above the first threshold.
    Warning,
    /// Above the second threshold.
    Critical,
    /// Above the second threshold at consecutive cycle closes.
    RestrictionRisk,
}

impl AlertKind {
    /// All kinds, in order.
    pub const ALL: [Self; 3] = [Self::Warning, Self::Critical, Self::RestrictionRisk];

    /// The kind's name in outputs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::RestrictionRisk => "restriction_risk",
        }
    }

    /// The kind's place in [`AlertKind::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Warning => 0,
            Self::Critical => 1,
            Self::RestrictionRisk => 2,
        }
    }
}

/// What happened to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertState {
    /// It went up.
    Raised,
    /// It went down.
    Cleared,
    /// It stayed up for another cycle (`restriction_risk` only).
    Ongoing,
}

impl AlertState {
    /// All states, in order.
    pub const ALL: [Self; 3] = [Self::Raised, Self::Cleared, Self::Ongoing];

    /// The state's name in outputs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Cleared => "cleared",
            Self::Ongoing => "ongoing",
        }
    }

    /// The state's place in [`AlertState::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Raised => 0,
            Self::Cleared => 1,
            Self::Ongoing => 2,
        }
    }
}

/// The counts of one account for some channels and days (SEMANTICS section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Orders in the denominator.
    pub orders: u32,
    /// Orders with at least one counted defect.
    pub defective: u32,
    /// Defective orders all of whose counted defects are provisional.
    pub provisional_only: u32,
    /// Orders with at least one counted defect of each kind, in the order of [`DefectKind::ALL`].
    pub by_kind: [u32; 3],
}

impl Counts {
    /// The rate of these counts.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        Rate { defective: self.defective, orders: self.orders }
    }

    /// Whether all counts are zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

/// Adds; a count of orders cannot reach 2^32 below the caps.
pub(crate) fn plus(left: &Counts, right: &Counts) -> Counts {
    combine(left, right, |a, b| a.checked_add(b).expect("counts stay below the caps"))
}

/// Subtracts; what is taken away was added before (I-10).
pub(crate) fn minus(left: &Counts, right: &Counts) -> Counts {
    combine(left, right, |a, b| a.checked_sub(b).expect("I-10: what leaves was there"))
}

fn combine(left: &Counts, right: &Counts, apply: impl Fn(u32, u32) -> u32) -> Counts {
    Counts {
        orders: apply(left.orders, right.orders),
        defective: apply(left.defective, right.defective),
        provisional_only: apply(left.provisional_only, right.provisional_only),
        by_kind: [
            apply(left.by_kind[0], right.by_kind[0]),
            apply(left.by_kind[1], right.by_kind[1]),
            apply(left.by_kind[2], right.by_kind[2]),
        ],
    }
}

/// What one boundary did to the numbers of one account, scope and view: before + change = now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Orders that entered by the slide, plus the net of merges (may be negative).
    pub orders_added: i64,
    /// Orders that left by the slide.
    pub orders_expired: i64,
    /// Orders that became defective, or entered defective by the slide.
    pub defective_added: i64,
    /// Orders that stopped being defective.
    pub defective_reversed: i64,
    /// Defective orders that left by the slide.
    pub defective_expired: i64,
}

/// A counted defect as an alert lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDefect {
    /// The order, as text.
    pub order_id: Box<str>,
    /// What kind it is.
    pub kind: DefectKind,
    /// The claim's or chargeback's own id.
    pub reference: Option<Box<str>>,
    /// Whether it was not counted here before this boundary.
    pub new: bool,
}

/// The cycle that a `restriction_risk` alert speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CycleNote {
    /// Its first day.
    pub from: Day,
    /// Its last day.
    pub to: Day,
    /// Consecutive bad cycles up to it; 0 when cleared.
    pub streak: u32,
}

/// One alert, complete but for its encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// 1, 2, 3, ... per shard.
    pub seq: u64,
    /// What it is about.
    pub kind: AlertKind,
    /// What happened.
    pub state: AlertState,
    /// Whether it only states what was so when alerting began.
    pub initial: bool,
    /// The seller.
    pub seller_id: Box<str>,
    /// The marketplace, `""` where none is stated.
    pub marketplace_id: Box<str>,
    /// Over which orders.
    pub scope: Scope,
    /// Over which days.
    pub view: View,
    /// The boundary's instant kΔ, in ms since the epoch.
    pub boundary_ms: i64,
    /// The as-of day.
    pub as_of: Day,
    /// First and last day of the view.
    pub window: (Day, Day),
    /// The smallest purchase day of the order events merged so far and not expired.
    pub covered_from: Option<Day>,
    /// The numbers now, in this scope and view.
    pub now: Counts,
    /// Whether there is a rate (`orders >= min_orders`).
    pub has_rate: bool,
    /// The threshold to raise, in basis points.
    pub threshold_bp: u32,
    /// The seller-fulfilled part, in this view.
    pub mfn: Rate,
    /// The Amazon-fulfilled part, in this view.
    pub afn: Rate,
    /// The official view, in this scope.
    pub official: Rate,
    /// The numbers just before this boundary.
    pub before: Rate,
    /// What this boundary did.
    pub change: Change,
    /// At most ten counted defects, new ones first.
    pub defects: Vec<ListedDefect>,
    /// Room left before the threshold.
    pub headroom: Headroom,
    /// Whether one defect alone is above the threshold.
    pub low_volume: bool,
    /// The day on which it clears if nothing more happens; none on a cleared alert.
    pub recovers_on: Option<Day>,
    /// For `restriction_risk`: the cycle.
    pub cycle: Option<CycleNote>,
}

/// A record that became a dead letter; the caller has its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its topic.
    pub topic: Topic,
    /// Its offset.
    pub offset: Offset,
    /// Why.
    pub reason: DeadReason,
}

/// The standing of one account, for the status topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The seller.
    pub seller_id: Box<str>,
    /// The marketplace, `""` where none is stated.
    pub marketplace_id: Box<str>,
    /// What is known; `None` when the account is forgotten.
    pub standing: Option<Box<Standing>>,
}

/// What a status record tells of an account that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The boundary's instant kΔ, in ms since the epoch.
    pub boundary_ms: i64,
    /// The as-of day.
    pub as_of: Day,
    /// Orders below which there is no rate.
    pub min_orders: u32,
    /// First and last day of each view, in the order of [`View::ALL`].
    pub windows: [(Day, Day); 2],
    /// Counts by view (outer) and channel (inner).
    pub counts: [[Counts; 2]; 2],
    /// Warning headroom, by view, over both channels.
    pub headroom: [Headroom; 2],
    /// The day on which the account's rate of each view is no longer above the warning
    /// threshold, if nothing more happens; none where it is not.
    pub recovers_on: [Option<Day>; 2],
    /// Alerts that are up.
    pub active: Vec<(AlertKind, Scope, View)>,
    /// Consecutive bad cycles of each configured scope and view.
    pub streaks: Vec<(Scope, View, u32)>,
}

/// Counts of outcomes by topic, and of dead letters by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// By topic (outer, [`Topic::ALL`]) and outcome (inner, [`Outcome::ALL`]).
    pub by_topic: [[u64; 6]; 4],
    /// By topic and reason, [`DeadReason::ALL`].
    pub dead: [[u64; 9]; 4],
}

impl Outcomes {
    /// Counts one record.
    pub fn count(&mut self, topic: Topic, outcome: Outcome) {
        self.by_topic[topic.index()][outcome.index()] += 1;
    }

    /// Counts one dead letter: its outcome and its reason.
    pub fn count_dead(&mut self, topic: Topic, reason: DeadReason) {
        self.count(topic, Outcome::Dead);
        self.dead[topic.index()][reason.index()] += 1;
    }

    /// Adds other counts to these.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in
            self.by_topic.iter_mut().flatten().zip(other.by_topic.iter().flatten())
        {
            *mine += theirs;
        }
        for (mine, theirs) in self.dead.iter_mut().flatten().zip(other.dead.iter().flatten()) {
            *mine += theirs;
        }
    }

    /// All records counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_topic.iter().flatten().sum()
    }
}

/// The chained digest of a shard: equal digests mean equal histories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(pub u128);

/// Everything that closing boundaries brought, in order. Reused between calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// Alerts, by boundary, in the order of section 7.
    pub alerts: Vec<Alert>,
    /// Status records: what forgot accounts leave, by boundary, and what was taken
    /// ([`Shard::take_statuses`](super::shard::Shard::take_statuses)).
    pub statuses: Vec<Status>,
    /// Dead letters, by boundary, topic, offset.
    pub dead: Vec<DeadLetter>,
    /// Counted defects, by boundary.
    pub matters: Vec<Matter>,
    /// What is to be written of comments, or taken back, by boundary.
    pub quotes: Vec<Quote>,
    /// Of each quote, how many matters come before it.
    quoted_after: Vec<usize>,
    /// Ends of negative feedback, by boundary: no record comes of them.
    pub endings: Vec<Ending>,
    /// Outcomes of the records of these boundaries.
    pub outcomes: Outcomes,
    /// The boundary at which alerting began, if it did in these.
    pub alerting_began: Option<Boundary>,
    /// Boundaries closed.
    pub closed: u64,
}

impl Effects {
    /// Records that these effects make to be written.
    #[must_use]
    pub fn outputs(&self) -> usize {
        let care = self.matters.len() + self.quotes.len();
        self.alerts.len() + self.statuses.len() + self.dead.len() + care
    }

    /// Adds a quote after the matters that are there.
    pub(crate) fn quote(&mut self, quote: Quote) {
        self.quotes.push(quote);
        self.quoted_after.push(self.matters.len());
    }

    /// Matters and quotes in the order in which they were told, of however many boundaries.
    pub fn told(&self) -> impl Iterator<Item = Told<'_>> {
        let mut quotes = self.quotes.iter().zip(&self.quoted_after).peekable();
        let mut matters = self.matters.iter().enumerate();
        let mut next = matters.next();
        std::iter::from_fn(move || {
            let place = next.map_or(usize::MAX, |(place, _)| place);
            if let Some((quote, _)) = quotes.next_if(|(_, after)| **after <= place) {
                return Some(Told::Quote(quote));
            }
            let told = next.map(|(_, matter)| Told::Matter(matter));
            next = matters.next();
            told
        })
    }

    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.alerts.clear();
        self.statuses.clear();
        self.dead.clear();
        self.matters.clear();
        self.quotes.clear();
        self.quoted_after.clear();
        self.endings.clear();
        self.outcomes = Outcomes::default();
        self.alerting_began = None;
        self.closed = 0;
    }
}

/// What `totals.jsonl` tells of one account, scope and view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// The seller.
    pub seller_id: Box<str>,
    /// The marketplace, `""` where none is stated.
    pub marketplace_id: Box<str>,
    /// Over which orders.
    pub scope: Scope,
    /// Over which days.
    pub view: View,
    /// The as-of day.
    pub as_of: Day,
    /// The numbers.
    pub counts: Counts,
}

/// The first start of alerting of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertsFrom {
    /// The shard.
    pub shard: ShardNo,
    /// Its boundary.
    pub boundary: Boundary,
}
