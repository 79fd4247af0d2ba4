//! From hits to clauses, and from the hits of a clause to its topics.
//!
//! A clause ends at the comment's punctuation and begins anew at words like *but* and *and*. Most
//! words name a topic by themselves; what a few of them mean depends on the others of the clause,
//! and that is in `compose`: *not* and *arrive* are non-receipt, *took* and *weeks* are lateness,
//! *slow* is what it stands beside. These rules know no language; the lexicons know nothing else.
//!
//! Invariants: every topic has the words that say so; work is linear in the hits but for the
//! pairs of a clause, whose hits are at most [`MAX_CLAUSE_HITS`].

use super::lexicon::{Class, Hit, Language};
use super::model::Scores;
use super::script;
use super::text::{CLAUSE_END, Text};
use super::topic::{Topic, Topics};

/// More hits of one clause are not looked at: real clauses have a dozen.
const MAX_CLAUSE_HITS: usize = 64;

/// How far apart, in folded bytes, two words may stand and still belong together.
const NEAR: usize = 40;

/// A place in the folded text.
pub(super) type Place = (usize, usize);

/// A clause.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    pub place: (usize, usize),
    pub hits: Vec<Hit>,
    pub topics: Vec<(Topic, Place)>,
    pub set: Topics,
    /// Words, and those of them that no lexicon knows; in Japanese, two letters are a word.
    pub words: usize,
    pub unknown: usize,
    /// What the model says.
    pub scores: Scores,
}

impl Part {
    pub(super) fn has(&self, class: Class) -> bool {
        self.hits.iter().any(|hit| hit.class == class)
    }

    fn has_any(&self, classes: &[Class]) -> bool {
        self.hits.iter().any(|hit| classes.contains(&hit.class))
    }

    fn first(&self, class: Class) -> Option<Hit> {
        self.hits.iter().find(|hit| hit.class == class).copied()
    }

    fn add(&mut self, topic: Topic, place: Place) {
        self.set.add(topic);
        if !self.topics.contains(&(topic, place)) {
            self.topics.push((topic, place));
        }
    }

    /// Two words that belong together.
    fn pair(&self, one: Class, other: Class) -> Option<Place> {
        let of = |class| self.hits.iter().filter(move |hit: &&Hit| hit.class == class);
        of(one).find_map(|a| {
            of(other).find_map(|b| {
                let (first, last) = if a.start <= b.start { (a, b) } else { (b, a) };
                let is_near = last.start.saturating_sub(first.end) <= NEAR;
                is_near.then(|| (first.start, first.end.max(last.end)))
            })
        })
    }
}

/// The hits in one language, without those that lie within longer ones.
pub(super) fn of_language(hits: &[Hit], language: Language) -> Vec<Hit> {
    let mut mine: Vec<Hit> = hits.iter().filter(|hit| hit.language == language).copied().collect();
    mine.sort_unstable_by_key(|hit| (hit.start, std::cmp::Reverse(hit.end), hit.class));
    let mut cover: Place = (0, 0);
    mine.retain(|hit| {
        let is_within = hit.end <= cover.1 && (hit.start, hit.end) != cover;
        if !is_within && hit.end > cover.1 {
            cover = (hit.start, hit.end);
        }
        !is_within
    });
    mine
}

/// The clauses of a text, from its hits as [`of_language`] gives them.
pub(super) fn parts(text: &Text, language: Language, hits: &[Hit]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut rest = hits;
    for end in ends(&text.folded, hits) {
        let split = rest.partition_point(|hit| hit.start < end);
        let (here, after) = rest.split_at(split);
        rest = after;
        let mut part = Part {
            place: (start, end),
            hits: here.iter().take(MAX_CLAUSE_HITS).copied().collect(),
            ..Part::default()
        };
        start = end;
        count_words(&mut part, &text.folded, language, here);
        if part.words == 0 {
            continue;
        }
        name(&mut part);
        compose(&mut part);
        part.topics.sort_unstable_by_key(|(topic, place)| (*place, *topic));
        parts.push(part);
    }
    parts
}

/// Where clauses end: after punctuation, and before words that begin another clause.
fn ends(folded: &str, hits: &[Hit]) -> Vec<usize> {
    let breaks = hits.iter().filter(|hit| hit.class == Class::Break).map(|hit| hit.start);
    let mut ends: Vec<usize> = folded.match_indices(CLAUSE_END).map(|(at, _)| at).collect();
    ends.extend(breaks);
    ends.push(folded.len());
    ends.sort_unstable();
    ends.dedup();
    ends
}

fn count_words(part: &mut Part, folded: &str, language: Language, hits: &[Hit]) {
    let (start, end) = part.place;
    let mut at = 0;
    let mut until = start;
    let mut is_known = |from: usize, to: usize| {
        while at < hits.len() && hits[at].start < to {
            until = until.max(hits[at].end);
            at += 1;
        }
        until > from
    };
    if language == Language::Ja {
        let (mut letters, mut unknown) = (0_usize, 0_usize);
        for (place, character) in folded[start..end].char_indices() {
            let from = start + place;
            let to = from + character.len_utf8();
            if character.is_alphanumeric() {
                letters += 1;
                let counts = !is_known(from, to) && script::is_japanese(character);
                unknown += usize::from(counts);
            }
        }
        part.words = letters.div_ceil(2);
        part.unknown = unknown / 2;
        return;
    }
    let mut from = start;
    for word in folded[start..end].split(' ') {
        let to = from + word.len();
        let letters = word.chars().filter(|character| character.is_alphanumeric()).count();
        if letters > 0 {
            part.words += 1;
            let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
            let is_unknown = letters > 2 && !is_number && !is_known(from, to);
            part.unknown += usize::from(is_unknown);
        }
        from = to + 1;
    }
}

/// The topics that words name by themselves.
fn name(part: &mut Part) {
    for hit in part.hits.clone() {
        let topic = match hit.class {
            Class::Product | Class::Fail => Topic::Product,
            Class::Price => Topic::Price,
            Class::Late => Topic::Late,
            Class::NotReceived => Topic::NotReceived,
            Class::Delivery | Class::Courier => Topic::Delivery,
            Class::Conduct => Topic::Courier,
            Class::Cost => Topic::DeliveryCost,
            Class::Packing => Topic::Packing,
            Class::Damage => Topic::Damage,
            Class::Transit => Topic::Transit,
            Class::Service | Class::Contact => Topic::Service,
            Class::Return => Topic::Return,
            Class::BareReturn => Topic::BareReturn,
            Class::Description => Topic::Description,
            Class::Wrong => Topic::WrongItem,
            Class::Missing => Topic::MissingItem,
            Class::Accuse => Topic::Seller,
            Class::Avoid => Topic::Avoid,
            _ => continue,
        };
        part.add(topic, (hit.start, hit.end));
    }
}

/// The topics that words name together.
fn compose(part: &mut Part) {
    receipt(part);
    time(part);
    harm(part);
    people(part);
    if let Some(hit) = part.first(Class::Refund) {
        let goes_wrong = [Class::Neg, Class::Take, Class::Contact, Class::Service, Class::Seller];
        let topic = if part.has_any(&goes_wrong) { Topic::Return } else { Topic::BareReturn };
        part.add(topic, (hit.start, hit.end));
    }
    // A named product that is praised or blamed, and nothing else is said of it.
    if part.set.is_empty() {
        let judges = [Class::Bad, Class::Good, Class::Obscene, Class::Mild];
        let blamed = judges.into_iter().find_map(|judge| part.pair(Class::Noun, judge));
        if let Some(place) = blamed {
            part.add(Topic::Product, place);
        }
    }
}

/// Not arrived.
fn receipt(part: &mut Part) {
    let is_other = part.has_any(&[Class::Late, Class::Contact, Class::Service, Class::Refund])
        || part.set.has_any(&[Topic::Description, Topic::WrongItem, Topic::MissingItem]);
    if !is_other {
        let not = part.pair(Class::Neg, Class::Receive).or(part.pair(Class::Neg, Class::Parcel));
        if let Some(place) = not {
            part.add(Topic::NotReceived, place);
        }
    }
    if part.set.has(Topic::MissingItem)
        && let Some(place) = part.pair(Class::Missing, Class::Parcel)
    {
        part.add(Topic::NotReceived, place);
    }
}

/// Late, slow, long.
fn time(part: &mut Part) {
    let on_product = part.has_any(&[Class::Product, Class::Fail]);
    let on_service = part.has_any(&[Class::Service, Class::Contact, Class::Refund]);
    let on_delivery =
        part.has_any(&[Class::Delivery, Class::Receive, Class::Parcel, Class::Courier]);
    if let Some(hit) = part.first(Class::Slow) {
        let place = (hit.start, hit.end);
        if on_delivery {
            part.add(Topic::Late, place);
        } else if on_service {
            part.add(Topic::Service, place);
        } else if on_product || part.has(Class::Noun) {
            part.add(Topic::Product, place);
        } else {
            part.add(Topic::Late, place);
        }
    }
    if on_product || on_service {
        return;
    }
    if let Some(place) = part.pair(Class::Take, Class::Time) {
        part.add(Topic::Late, place);
    }
    let after = part.pair(Class::Receive, Class::After);
    if let Some(place) = after.filter(|_| part.has(Class::Time)) {
        part.add(Topic::Late, place);
    }
}

/// Broken on arrival, in transit or in use.
fn harm(part: &mut Part) {
    let transit = part.first(Class::Transit);
    let arrives = part.has(Class::Receive) || transit.is_some();
    let packed = part.has_any(&[Class::Packing, Class::Parcel]);
    if let Some(hit) = part.first(Class::Broken) {
        let place = (hit.start, hit.end);
        if arrives || packed {
            part.add(Topic::Damage, place);
        } else if part.has_any(&[Class::Time, Class::After, Class::Fail, Class::Product]) {
            part.add(Topic::Product, place);
        } else {
            part.add(Topic::Broken, place);
        }
    }
    if let Some(place) = part.pair(Class::Parcel, Class::Damage) {
        part.add(Topic::Packing, place);
    }
    if let Some(place) = part.pair(Class::Parcel, Class::Broken) {
        part.add(Topic::Packing, place);
    }
    if let Some(hit) = part.first(Class::Fail) {
        if let Some(transit) = transit {
            // What fails on the way is no failure of the product.
            remove(part, Topic::Product);
            part.add(Topic::Damage, (hit.start, hit.end));
            part.add(Topic::Transit, (transit.start, transit.end));
        } else if let Some(place) = part.pair(Class::Receive, Class::Fail) {
            part.add(Topic::DeadOnArrival, place);
        }
    }
}

/// The seller and the marketplace.
fn people(part: &mut Part) {
    let serves = part.set.has(Topic::Service);
    if let Some(hit) = part.first(Class::Marketplace) {
        let place = (hit.start, hit.end);
        if serves && !part.has(Class::Seller) {
            replace(part, Topic::MarketplaceService, place);
        } else if part.set.is_empty() && part.has_any(&[Class::Bad, Class::Neg]) {
            part.add(Topic::Marketplace, place);
        }
    }
    if serves
        && !part.has(Class::Seller)
        && let Some(hit) = part.first(Class::Courier)
    {
        // To ask a carrier is no judgement of him.
        if part.has(Class::Service) {
            replace(part, Topic::Courier, (hit.start, hit.end));
        } else {
            remove(part, Topic::Service);
        }
    }
    if let Some(hit) = part.first(Class::Seller)
        && !serves
    {
        part.add(Topic::Seller, (hit.start, hit.end));
    }
}

/// It is not the seller who serves.
fn replace(part: &mut Part, topic: Topic, place: Place) {
    remove(part, Topic::Service);
    part.add(topic, place);
}

fn remove(part: &mut Part, removed: Topic) {
    part.topics.retain(|(topic, _)| *topic != removed);
    let kept: Vec<Topic> = part.topics.iter().map(|(topic, _)| *topic).collect();
    part.set = Topics::of(&kept);
}
