//! Rule 2: personal information of the seller.
//!
//! Forms (an e-mail address, a telephone number, a street with its number, a handle) are found by
//! expressions; full names by what stands beside them. Whose they are is asked of the words
//! around: only the seller's count, never those of the buyer, the carrier, the maker or the
//! marketplace, and where nothing tells, the rule stays open. A seller's own data, if they are
//! given, need no words around.
//!
//! Invariants: expressions are of the `regex` crate, whose time is linear in the text whatever it
//! holds; at most [`MAX_FORMS`] of each kind are judged.

use super::forms::{forms, has_spelt_digits, is_date, is_order, plain};
use super::lexicon::{Class, Hit, Language};
use super::profile::Profile;
use super::text::{CLAUSE_END, Text, read_part};
use super::verdict::{Blocker, BlockerKind, Decision, Evidence, Finding, Span, Verdict};

/// More of one kind are not judged.
const MAX_FORMS: usize = 16;

/// How far, in folded bytes, words tell whose data are.
const CONTEXT: usize = 80;

/// A comment of so many words says whose a detail is; who gives his own says "my" or "me".
const TELLING_WORDS: usize = 9;

/// How far a word for the role stands from the name.
const BESIDE: usize = 12;

/// Whose data are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Seller,
    Other(BlockerKind),
    Unclear,
}

struct Look<'a> {
    text: &'a Text,
    hits: &'a [Hit],
    profile: &'a Profile,
    verdict: Verdict,
}

/// The verdict on rule 2, and how many forms were judged. The hits are those of the language of
/// the comment, or of all where it has none.
pub(super) fn judge(
    comment: &str,
    text: &Text,
    hits: &[Hit],
    profile: &Profile,
) -> (Verdict, usize) {
    let read = read_part(comment);
    let mut verdict = Verdict::not(BlockerKind::NothingSaid);
    verdict.blockers.clear();
    let mut look = Look { text, hits, profile, verdict };
    let mut work = look.known();
    let digits = read.chars().filter(char::is_ascii_digit).count();
    let plain = plain(read);
    let (read, back) = plain.as_ref().map_or((read, None), |(plain, back)| (&**plain, Some(back)));
    let back = |place: (usize, usize)| match back {
        None => Span { start: place.0, end: place.1 },
        Some(back) => Span { start: back[place.0].0, end: back[place.1 - 1].1 },
    };
    work += look.e_mails(read, &back);
    if digits >= 6 {
        work += look.telephones(read, &back);
    }
    work += look.spelt(read, &back);
    work += look.addresses(read, &back);
    work += look.handles(read, &back);
    work += look.names(read, &back);
    let mut verdict = look.verdict;
    let is_open = |blocker: &Blocker| {
        let open = [
            BlockerKind::BareNumber,
            BlockerKind::PartOfName,
            BlockerKind::ShopAddress,
            BlockerKind::WhoseData,
        ];
        open.contains(&blocker.kind)
    };
    verdict.decision = if !verdict.evidence.is_empty() {
        Decision::Eligible
    } else if verdict.blockers.iter().any(is_open) {
        Decision::Uncertain
    } else {
        Decision::Not
    };
    if verdict.evidence.is_empty() && verdict.blockers.is_empty() {
        verdict.blockers.push(Blocker { kind: BlockerKind::NothingSaid, span: None });
    }
    (verdict, work)
}

impl Look<'_> {
    fn find(&mut self, finding: Finding, span: Span) {
        let is_new =
            |other: &Evidence| other.span.end <= span.start || other.span.start >= span.end;
        if self.verdict.evidence.iter().all(is_new) {
            self.verdict.evidence.push(Evidence { span, finding });
        }
    }

    fn block(&mut self, kind: BlockerKind, span: Span) {
        self.verdict.blockers.push(Blocker { kind, span: Some(span) });
    }

    fn settle(&mut self, finding: Finding, span: Span, owner: Owner) {
        match owner {
            Owner::Seller => self.find(finding, span),
            Owner::Other(kind) => self.block(kind, span),
            Owner::Unclear => self.block(BlockerKind::WhoseData, span),
        }
    }

    /// What is the seller's by his own account.
    fn known(&mut self) -> usize {
        let profile = self.profile;
        let names = profile.names_in(self.text);
        for ((start, end), is_whole) in &names {
            let span = self.text.span(*start, *end);
            if *is_whole {
                self.find(Finding::FullName, span);
            } else {
                self.block(BlockerKind::PartOfName, span);
            }
        }
        for (start, end) in profile.addresses_in(self.text) {
            self.find(Finding::PostalAddress, self.text.span(start, end));
        }
        for (start, end) in profile.handles_in(self.text) {
            self.find(Finding::Handle, self.text.span(start, end));
        }
        names.len()
    }

    fn e_mails(&mut self, read: &str, back: &impl Fn((usize, usize)) -> Span) -> usize {
        let mut count = 0;
        let spelled = ["dot", "DOT", "punkt", "point", "punto", "ponto"];
        let may_be = read.contains('@') || spelled.iter().any(|word| read.contains(word));
        let e_mails = may_be.then(|| forms().e_mail.find_iter(read)).into_iter().flatten();
        for found in e_mails.take(MAX_FORMS) {
            count += 1;
            let span = back((found.start(), found.end()));
            if self.profile.has_e_mail(found.as_str()) {
                self.find(Finding::Email, span);
                continue;
            }
            let lower = found.as_str().to_lowercase();
            let owner = official(&lower).unwrap_or_else(|| self.whose(span));
            self.settle(Finding::Email, span, owner);
        }
        let shops = read.contains('.').then(|| forms().shop.find_iter(read)).into_iter().flatten();
        for found in shops.take(MAX_FORMS) {
            count += 1;
            let span = back((found.start(), found.end()));
            let is_part = |other: Span| other.start <= span.start && span.end <= other.end;
            let is_mail = self.verdict.evidence.iter().any(|other| is_part(other.span))
                || self.verdict.blockers.iter().any(|other| other.span.is_some_and(is_part))
                || read[..found.start()].ends_with('@');
            if !is_mail && official(&found.as_str().to_lowercase()).is_none() {
                self.block(BlockerKind::ShopAddress, span);
            }
        }
        count
    }

    fn telephones(&mut self, read: &str, back: &impl Fn((usize, usize)) -> Span) -> usize {
        let mut count = 0;
        for found in forms().telephone.find_iter(read).take(MAX_FORMS) {
            count += 1;
            let span = back((found.start(), found.end()));
            let digits: String = found.as_str().chars().filter(char::is_ascii_digit).collect();
            let before = &read[..found.start()];
            let near = &before[before.floor_char_boundary(before.len().saturating_sub(60))..];
            let is_joined = before.chars().next_back().is_some_and(|last| {
                last.is_ascii_alphanumeric() || matches!(last, '-' | '_' | '#' | '$' | '\u{20AC}')
            }) || read[found.end()..]
                .starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
            if self.profile.has_telephone(&digits) {
                self.find(Finding::Telephone, span);
            } else if is_joined || is_order(found.as_str()) || forms().no_telephone.is_match(near) {
                self.block(BlockerKind::OrderNumber, span);
            } else if (7..=15).contains(&digits.len()) && !is_date(found.as_str()) {
                let after = &read[found.end()..];
                let after = &after[..after.floor_char_boundary(after.len().min(40))];
                let parted = found.as_str().contains([' ', '-', '/', '.', '(']);
                let called = found.as_str().starts_with(['+', '('])
                    || (found.as_str().starts_with('0') && digits.len() >= 9 && parted)
                    || forms().calls.is_match(near)
                    || forms().calls.is_match(after);
                match self.whose(span) {
                    Owner::Seller if called => self.find(Finding::Telephone, span),
                    Owner::Other(kind) => self.block(kind, span),
                    _ => self.block(BlockerKind::BareNumber, span),
                }
            }
        }
        count
    }

    /// Numbers in words.
    fn spelt(&mut self, read: &str, back: &impl Fn((usize, usize)) -> Span) -> usize {
        let mut count = 0;
        let is_asked = has_spelt_digits(&self.text.folded);
        let spelt = is_asked.then(|| forms().spelt.find_iter(read)).into_iter().flatten();
        for found in spelt.take(MAX_FORMS) {
            count += 1;
            let span = back((found.start(), found.end()));
            let before = &read[..found.start()];
            let near = &before[before.floor_char_boundary(before.len().saturating_sub(60))..];
            if !forms().no_telephone.is_match(near) {
                let owner = self.whose(span);
                self.settle(Finding::Telephone, span, owner);
            }
        }
        count
    }

    fn addresses(&mut self, read: &str, back: &impl Fn((usize, usize)) -> Span) -> usize {
        let has_digit = read.bytes().any(|byte| byte.is_ascii_digit());
        let has_kanji = read.contains(['都', '道', '府', '県', '〒']);
        let mut count = 0;
        for street in forms().streets.iter().filter(|_| has_digit || has_kanji) {
            for found in street.find_iter(read).take(MAX_FORMS) {
                count += 1;
                let span = back((found.start(), found.end()));
                let owner = self.whose(span);
                self.settle(Finding::PostalAddress, span, owner);
            }
        }
        count
    }

    fn handles(&mut self, read: &str, back: &impl Fn((usize, usize)) -> Span) -> usize {
        let mut count = 0;
        for found in forms().handle.captures_iter(read).take(MAX_FORMS) {
            count += 1;
            let Some(name) = found.get(2).or(found.get(4)) else { continue };
            let is_said = found.get(1).is_some() || found.get(3).is_some();
            let tells = |sign: char| sign.is_ascii_digit() || matches!(sign, '@' | '_' | '.');
            let is_number = name.as_str().chars().all(|sign| !sign.is_ascii_alphabetic());
            let trimmed = name.as_str().trim_end_matches('.');
            let before = read[..name.start()].trim_end_matches([' ', '"', '\'']);
            let is_said = is_said || before.ends_with(['@', ':', '\u{300C}', '\u{300E}']);
            let is_name = trimmed.contains(tells) || is_said;
            if is_name && !is_number {
                let span = back((name.start(), name.start() + trimmed.len()));
                let owner = self.whose(span);
                self.settle(Finding::Handle, span, owner);
            }
        }
        let at = read.contains('@').then(|| forms().lone_handle.captures_iter(read));
        for found in at.into_iter().flatten().take(MAX_FORMS) {
            count += 1;
            let Some(name) = found.get(1) else { continue };
            let span = back((name.start(), name.end()));
            let owner = self.whose(span);
            self.settle(Finding::Handle, span, owner);
        }
        count
    }

    fn names(&mut self, read: &str, back: &impl Fn((usize, usize)) -> Span) -> usize {
        let mut count = 0;
        let roles = [Class::Owner, Class::Seller];
        let is_asked =
            self.hits.iter().any(|hit| hit.language == Language::Ja && roles.contains(&hit.class));
        let japanese = is_asked.then(|| forms().japanese_name.captures_iter(read));
        for found in japanese.into_iter().flatten().take(MAX_FORMS) {
            count += 1;
            let whole = found.get(1).or(found.get(3));
            let Some(name) = whole.or(found.get(2)) else { continue };
            let span = back((name.start(), name.end()));
            let letters = name.as_str().chars().filter(|letter| !letter.is_whitespace()).count();
            if letters >= 4 && whole.is_some() {
                self.find(Finding::FullName, span);
            } else {
                self.block(BlockerKind::PartOfName, span);
            }
        }
        let people = [Class::Owner, Class::Seller, Class::Service, Class::Accuse, Class::Contact];
        if !self.hits.iter().any(|hit| people.contains(&hit.class)) {
            return count;
        }
        let shouts = !read.chars().any(char::is_lowercase);
        for found in forms().name.find_iter(read).take(4 * MAX_FORMS) {
            count += 1;
            self.name(back((found.start(), found.end())), shouts);
        }
        count
    }

    /// A run of capitalised words: the unknown ones of it beside a word for the role are a name.
    fn name(&mut self, span: Span, shouts: bool) {
        let (start, end) = (self.text.place(span.start), self.text.place(span.end));
        let hit_of = |from: usize, to: usize| {
            let mut hits = self.hits.iter().filter(move |hit| hit.start < to && from < hit.end);
            let is_ordinary =
                |hit: &Hit| matches!(hit.class, Class::Stop | Class::Noun | Class::Time);
            (hits.clone().next().is_some(), hits.all(is_ordinary))
        };
        let mut words: Vec<(usize, usize)> = Vec::new();
        let mut unknown = 0;
        let mut at = start;
        for word in self.text.folded[start..end].split(' ') {
            let to = at + word.len();
            let (is_known, is_ordinary) = hit_of(at, to);
            // Names are also words: an ordinary one counts after a first one that is none.
            if word.len() > 2 && (!is_known || (is_ordinary && !words.is_empty())) {
                unknown += usize::from(!is_known);
                words.push((at, to));
            } else if !words.is_empty() && word.len() > 3 {
                break;
            }
            at = to + 1;
        }
        if unknown == 0 {
            return;
        }
        let (Some(first), Some(last)) = (words.first(), words.last()) else { return };
        let (start, end) = (first.0, last.1);
        let is_beside = self.is_beside_role(start, end);
        if !is_beside && (words.len() < 2 || shouts || !self.may_be_person(start, end)) {
            return;
        }
        let span = self.text.span(start, end);
        match self.whose_but(span, Class::Owner) {
            Owner::Other(kind) => self.block(kind, span),
            _ if words.len() >= 2 => self.find(Finding::FullName, span),
            _ => self.block(BlockerKind::PartOfName, span),
        }
    }

    /// Whether nothing but short words (is, a, der, est) is between two places.
    fn only_links(&self, from: usize, to: usize) -> bool {
        let between = self.text.folded.get(from..to.max(from)).unwrap_or_default();
        let is_short = |word: &str| word.len() <= 3;
        between.len() <= BESIDE && between.split([' ', CLAUSE_END]).all(is_short)
    }

    /// Whether two capitalised words may be a person: no article or place word is before them, and
    /// no product after them. German capitalises every noun, so there it is not asked.
    fn may_be_person(&self, start: usize, end: usize) -> bool {
        const NO_PERSON: [&str; 36] = [
            "the", "a", "an", "this", "that", "my", "in", "at", "near", "from", "to", "your", "el",
            "la", "los", "las", "un", "una", "en", "le", "les", "une", "du", "des", "il", "lo",
            "gli", "uno", "nel", "o", "os", "um", "uma", "no", "na", "em",
        ];
        let before = self.text.folded[..start].trim_end_matches(' ');
        let last = before.rsplit(' ').next().unwrap_or_default();
        let is_german = self.hits.iter().any(|hit| hit.language == Language::De);
        let names_product = self
            .hits
            .iter()
            .any(|hit| hit.class == Class::Noun && hit.start + 1 >= end && hit.start <= end + 1);
        !is_german && !names_product && !NO_PERSON.contains(&last)
    }

    /// Whether a word for the seller's role stands directly before or after a name.
    fn is_beside_role(&self, start: usize, end: usize) -> bool {
        self.hits.iter().any(|hit| {
            let before = start.checked_sub(hit.end);
            let after = hit.start.checked_sub(end);
            match hit.class {
                Class::Owner => {
                    before.is_some_and(|_| self.only_links(hit.end, start))
                        || after.is_some_and(|_| self.only_links(end, hit.start))
                }
                Class::Seller => {
                    let links = before.is_some_and(|_| self.only_links(hit.end, start));
                    let begins = self.text.folded[..start].trim_end_matches(' ');
                    let begins = begins.is_empty()
                        || begins.ends_with(CLAUSE_END)
                        || self.hits.iter().any(|hit| {
                            hit.class == Class::Break && hit.end + 1 >= start && hit.end <= start
                        });
                    links || (begins && after.is_some_and(|gap| gap <= BESIDE))
                }
                _ => false,
            }
        })
    }

    /// Whether so much is told around a detail that another owner would be named.
    fn tells_enough(&self) -> bool {
        let others = [
            Class::Delivery,
            Class::Late,
            Class::NotReceived,
            Class::Courier,
            Class::Parcel,
            Class::Product,
            Class::Fail,
            Class::Maker,
            Class::Mine,
        ];
        let words = self.text.folded.split(' ').filter(|word| word.len() > 1).count();
        words >= TELLING_WORDS && !self.hits.iter().any(|hit| others.contains(&hit.class))
    }

    /// Whose data these are, by the nearest words that tell, and by those of the comment.
    fn whose(&self, span: Span) -> Owner {
        self.whose_but(span, Class::Stop)
    }

    /// The same without the words of a class.
    fn whose_but(&self, span: Span, class: Class) -> Owner {
        let (start, end) = (self.text.place(span.start), self.text.place(span.end));
        let mut nearest: Option<(usize, Owner)> = None;
        for hit in self.hits.iter().filter(|hit| hit.class != class) {
            let owner = match hit.class {
                Class::Mine => Owner::Other(BlockerKind::BuyersData),
                Class::Courier => Owner::Other(BlockerKind::CarriersData),
                Class::Maker => Owner::Other(BlockerKind::MakersData),
                Class::Marketplace => Owner::Other(BlockerKind::MarketplacesData),
                Class::Seller | Class::Owner | Class::Return | Class::Refund => Owner::Seller,
                _ => continue,
            };
            let (gap, between) = if hit.end <= start + 1 {
                (start.saturating_sub(hit.end), (hit.end, start))
            } else if hit.start + 1 >= end {
                // What follows tells less than what went before.
                (2 * hit.start.saturating_sub(end), (end, hit.start))
            } else {
                (0, (start, start))
            };
            let between = self.text.folded.get(between.0..between.1.max(between.0));
            let breaks = between.map_or(0, |text| text.matches(CLAUSE_END).count());
            let gap = gap + 16 * breaks;
            if gap <= CONTEXT && nearest.is_none_or(|(least, _)| gap < least) {
                nearest = Some((gap, owner));
            }
        }
        let tells = [Class::Accuse, Class::Contact, Class::Service, Class::Avoid, Class::They];
        let blamed = self.hits.iter().any(|hit| tells.contains(&hit.class));
        match nearest {
            Some((_, owner)) => owner,
            None if blamed || self.tells_enough() => Owner::Seller,
            None => Owner::Unclear,
        }
    }
}

/// Addresses of marketplaces and carriers.
fn official(address: &str) -> Option<Owner> {
    const MARKETS: [&str; 3] = ["amazon.", "ebay.", "paypal."];
    const CARRIERS: [&str; 8] =
        ["ups.", "fedex.", "dhl.", "usps.", "hermes", "dpd.", "gls-", "royalmail."];
    let has = |names: &[&str]| names.iter().any(|name| address.contains(name));
    if has(&MARKETS) {
        return Some(Owner::Other(BlockerKind::MarketplacesData));
    }
    has(&CARRIERS).then_some(Owner::Other(BlockerKind::CarriersData))
}
