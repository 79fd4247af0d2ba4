//! What a seller says of himself, so that his data are known when a comment names them.
//!
//! A seller can be told apart from a brand or a buyer only by knowing him. Everything in here is
//! the seller's own, and it is used for one question: is this in the comment?

use super::text::Text;

/// A seller's own data. All lists may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Full names of the people behind the shop.
    pub names: Vec<String>,
    /// E-mail addresses.
    pub e_mails: Vec<String>,
    /// Telephone numbers, written in any way.
    pub telephones: Vec<String>,
    /// Postal addresses; street and number come first.
    pub addresses: Vec<String>,
    /// Names at messengers and social networks.
    pub handles: Vec<String>,
}

/// How many digits at a number's end tell it: area codes are written or not.
const TELLING_DIGITS: usize = 7;

impl Profile {
    /// Whether a telephone number is one of the seller's.
    pub(super) fn has_telephone(&self, written: &str) -> bool {
        let end_of = |number: &str| {
            let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
            let from = digits.len().checked_sub(TELLING_DIGITS)?;
            Some(digits[from..].iter().collect::<String>())
        };
        let written = end_of(written);
        written.is_some() && self.telephones.iter().any(|known| end_of(known) == written)
    }

    /// Whether an e-mail address is one of the seller's.
    pub(super) fn has_e_mail(&self, written: &str) -> bool {
        self.e_mails.iter().any(|known| fold(known) == fold(written))
    }

    /// The places in a folded text of the names; the parts of names as well, with `false`.
    pub(super) fn names_in(&self, text: &Text) -> Vec<((usize, usize), bool)> {
        let mut found = Vec::new();
        for name in self.names.iter().map(|name| fold(name)) {
            let whole = find(text, &name);
            if !whole.is_empty() {
                found.extend(whole.into_iter().map(|place| (place, true)));
                continue;
            }
            for part in name.split(' ').filter(|part| part.chars().count() > 2) {
                found.extend(find(text, part).into_iter().map(|place| (place, false)));
            }
        }
        found
    }

    /// The places in a folded text of the streets with their numbers.
    pub(super) fn addresses_in(&self, text: &Text) -> Vec<(usize, usize)> {
        let street = |address: &String| fold(address.split(',').next().unwrap_or_default());
        let streets = self.addresses.iter().map(street);
        streets.flat_map(|street| find(text, &street)).collect()
    }

    /// The places in a folded text of the handles.
    pub(super) fn handles_in(&self, text: &Text) -> Vec<(usize, usize)> {
        self.handles.iter().flat_map(|handle| find(text, &fold(handle))).collect()
    }
}

fn fold(written: &str) -> String {
    let folded = Text::new(written).folded;
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whole words only.
fn find(text: &Text, words: &str) -> Vec<(usize, usize)> {
    if words.is_empty() {
        return Vec::new();
    }
    let found = text.folded.match_indices(words).map(|(at, _)| (at, at + words.len()));
    let bytes = text.folded.as_bytes();
    let is_whole = |place: &(usize, usize)| {
        let is_edge = |at: Option<&u8>| at.is_none_or(|byte| !byte.is_ascii_alphanumeric());
        is_edge(place.0.checked_sub(1).and_then(|at| bytes.get(at))) && is_edge(bytes.get(place.1))
    };
    found.filter(is_whole).collect()
}
