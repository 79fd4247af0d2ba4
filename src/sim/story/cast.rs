//! Who is in the market, and what each of them goes through.
//!
//! A story is a pair of numbers for each day before the present: how many orders come in, and how
//! many orders of the window ought to be defective. The account steers towards the second one, so
//! what is told here is what the rate does. Invariant: a goal of zero for an account that is too
//! young to bear a defect, so that no early alert spoils a story. All names are invented.

use crate::sim::random::Random;

/// What an account of the market goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// Stays well below 1 %.
    Healthy,
    /// Drifts over 1 % in the last weeks.
    Drifting,
    /// Is above 2 % at the last three cycle closes and more.
    AboveTwo,
    /// Was above 1 %, until feedback was removed and an appeal was won.
    Saved,
    /// Crosses 1 % because a burst of old orders leaves the window, with no new defect.
    Expiry,
    /// Sells through FBA only.
    FbaOnly,
    /// Sells so little that one defect alone is above 1 %.
    LowVolume,
    /// Stands just below 1 % and crosses it soon after the history ends.
    Edge,
    /// Stands above 1 % and is cleared soon after the history ends.
    Clearing,
    /// Has many claims and chargebacks that do not count.
    Unjustly,
    /// Is healthy in one marketplace and above 1 % in another: this is the other.
    OtherMarket,
}

impl Story {
    /// One sentence for whoever watches.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Drifting => "drifts over 1 % in the last weeks",
            Self::AboveTwo => "above 2 % for three cycles",
            Self::Saved => "saved by removed feedback and a won appeal",
            Self::Expiry => "crosses by expiry alone",
            Self::FbaOnly => "FBA only",
            Self::LowVolume => "low volume: one defect is above 1 %",
            Self::Edge => "about to cross 1 %",
            Self::Clearing => "about to be cleared",
            Self::Unjustly => "many claims and chargebacks that do not count",
            Self::OtherMarket => "healthy in one marketplace, not in the other",
        }
    }
}

/// One account of the market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The seller's id.
    pub seller: String,
    /// The marketplace's id.
    pub marketplace: &'static str,
    /// An invented shop name.
    pub name: String,
    /// What it goes through.
    pub story: Story,
    /// Orders per day, in tenths.
    pub(super) daily_tenths: u32,
    /// The share of FBA orders, per million.
    pub(super) fba_share: u32,
    /// The rate in basis points that it keeps to in quiet times.
    pub(super) quiet_bp: u64,
}

/// Marketplace ids: Amazon.com, .de, .co.uk, .fr, .it.
pub(super) const MARKETPLACES: [&str; 5] =
    ["ATVPDKIKX0DER", "A1PA6795UKMFR9", "A1F83G8C2ARO7P", "A13V1IB3VIYZZH", "APJ6JRA9NG5V4"];

/// The countries that people call them by.
const COUNTRIES: [&str; 5] = ["US", "DE", "UK", "FR", "IT"];

/// The oldest purchases, in days before the present, that the expiry story lets go wrong.
const EXPIRY_OLDEST_CASE: i64 = 50;

impl Role {
    /// The marketplace as people call it.
    #[must_use]
    pub fn country(&self) -> &'static str {
        let place = MARKETPLACES.iter().position(|id| *id == self.marketplace);
        COUNTRIES[place.expect("a role's marketplace is one of these")]
    }

    /// How many orders come in on a day, `age` days before the present (0: today, which for the
    /// live market is every day).
    pub(super) fn orders_on(&self, age: i64, random: &mut Random) -> u64 {
        let tenths = u64::from(self.daily_tenths);
        let base = tenths / 10 + u64::from(random.below(10) < tenths % 10);
        match self.story {
            Story::Expiry if (61..=63).contains(&age) => 200,
            Story::Healthy | Story::FbaOnly | Story::Unjustly => {
                base * 3 / 4 + random.below(base / 2 + 1)
            }
            _ => base,
        }
    }

    /// How many orders of the window ought to be defective on a day.
    pub(super) fn goal(&self, age: i64, orders: u64) -> u64 {
        let quiet = orders * self.quiet_bp / 10_000;
        let at = |bp: i64| orders * bp.unsigned_abs() / 10_000;
        match self.story {
            Story::Drifting if age <= 42 => at(150 - (age - 2).max(0) * 105 / 40),
            Story::AboveTwo if age <= 36 => at(270 - (age - 27).max(0) * 220 / 9),
            Story::Saved if (10..=26).contains(&age) => at(145),
            Story::Expiry => [45, 40, 35, 28, 20].iter().map(|from| u64::from(age <= *from)).sum(),
            Story::LowVolume => u64::from(age <= 14),
            Story::Edge if age <= 30 => orders / 100,
            Story::Clearing if age <= 20 => orders / 100 + 2,
            Story::OtherMarket if age <= 25 => at(175),
            _ => quiet,
        }
    }

    /// How old, in days before the present, an order that goes wrong may be.
    pub(super) fn oldest_case_age(&self) -> i64 {
        match self.story {
            Story::Expiry => EXPIRY_OLDEST_CASE,
            _ => i64::MAX,
        }
    }

    /// Whether what goes wrong stays counted: where a story hangs on single defects.
    pub(super) fn cases_last(&self) -> bool {
        !matches!(self.story, Story::Healthy | Story::FbaOnly)
    }

    /// The account's weight in the live market's stream of orders. Stories stay small, so that
    /// their numbers stay readable.
    pub(super) fn live_weight(&self) -> u64 {
        let daily = u64::from(self.daily_tenths);
        match self.story {
            Story::Healthy if daily > 100 => daily,
            Story::Healthy | Story::FbaOnly | Story::Unjustly => daily / 4,
            _ => (daily / 20).max(1),
        }
    }

    /// Whether the live market may tell a small story of it: raised, then cleared.
    pub(super) fn takes_turns(&self) -> bool {
        let small = (50..=100).contains(&self.daily_tenths);
        small && matches!(self.story, Story::Healthy | Story::Unjustly)
    }
}

/// `(story, shop, marketplace, orders per day in tenths, FBA share, quiet rate in bp)`.
type Line = (Story, &'static str, usize, u32, u32, u64);

const CAST: [Line; 11] = [
    (Story::Drifting, "Driftwood Home", 1, 200, 300_000, 45),
    (Story::AboveTwo, "Gadget Cellar", 0, 120, 0, 50),
    (Story::Saved, "Nordlicht Outdoor", 1, 100, 200_000, 50),
    (Story::Expiry, "Calendar & Sons", 2, 60, 0, 0),
    (Story::FbaOnly, "Parcel Sparrow", 0, 150, 1_000_000, 50),
    (Story::LowVolume, "Atelier Minuscule", 3, 4, 0, 0),
    (Story::Edge, "Brink & Co", 1, 73, 250_000, 50),
    (Story::Clearing, "Second Chance Books", 2, 70, 0, 50),
    (Story::Unjustly, "Banco di Prova", 4, 90, 500_000, 40),
    (Story::Healthy, "Two Harbours", 1, 80, 400_000, 40),
    (Story::OtherMarket, "Two Harbours", 3, 70, 400_000, 40),
];

/// First and last words of the healthy shops' names.
const FIRST: [&str; 10] =
    ["Amber", "Birken", "Cobalt", "Dune", "Elm", "Feder", "Garnet", "Hafen", "Iris", "Juniper"];
const LAST: [&str; 6] = ["Tools", "Living", "Sports", "Garden", "Paper", "Audio"];

/// The accounts of a market of so many sellers: the stories first, then the healthy ones.
pub(super) fn cast(sellers: usize, random: &mut Random) -> Vec<Role> {
    let mut roles: Vec<Role> = Vec::new();
    let mut distinct = 0;
    for (story, name, marketplace, daily_tenths, fba_share, quiet_bp) in CAST {
        if distinct == sellers && story != Story::OtherMarket {
            return roles;
        }
        let before = roles.last().filter(|_| story == Story::OtherMarket);
        let seller = before.map_or_else(|| seller_id(random), |role| role.seller.clone());
        distinct += usize::from(story != Story::OtherMarket);
        roles.push(Role {
            seller,
            marketplace: MARKETPLACES[marketplace],
            name: name.to_owned(),
            story,
            daily_tenths,
            fba_share,
            quiet_bp,
        });
    }
    for number in distinct..sellers {
        roles.push(healthy(number - distinct, random));
    }
    roles
}

/// A healthy shop: one giant, some large, some medium, the rest small.
fn healthy(number: usize, random: &mut Random) -> Role {
    let daily_tenths = match number {
        0 => 1_500,
        1..=4 => 600,
        5..=14 => 200,
        _ => 50 + u32::try_from(random.below(45)).expect("below 45"),
    };
    let name =
        format!("{} {}", FIRST[number % FIRST.len()], LAST[number / FIRST.len() % LAST.len()]);
    Role {
        seller: seller_id(random),
        marketplace: MARKETPLACES[random.index(MARKETPLACES.len())],
        name,
        story: Story::Healthy,
        daily_tenths,
        fba_share: *random.pick(&[0, 250_000, 500_000, 800_000]),
        quiet_bp: 25 + random.below(40),
    }
}

/// An id in the form of Amazon's: A and 13 letters or digits.
fn seller_id(random: &mut Random) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let tail = (0..13).map(|_| char::from(*random.pick(letters)));
    std::iter::once('A').chain(tail).collect()
}
