//! What a hostile workload may contain: each seed enables a random subset, swarm style.
//!
//! A workload of everything at once hides what only shows when something else is absent (Groce et
//! al., "Swarm Testing", 2012).

use crate::sim::random::Random;

/// Something unpleasant that a workload may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// The same bytes again, soon or days later.
    Duplicates,
    /// Neighbouring facts change places.
    Shuffles,
    /// Facts that become known days after they happened.
    LateFacts,
    /// Defects that stop counting.
    Reversals,
    /// Defects that count again.
    Reinstatements,
    /// Defects known before their orders.
    EarlyDefects,
    /// Defects whose orders never arrive.
    Orphans,
    /// Orders that state another marketplace later, or none at first.
    MarketplaceCorrections,
    /// Orders that state another channel later.
    ChannelCorrections,
    /// Orders that state two purchase days.
    TwoPurchaseDays,
    /// Purchases around the days at which a view or the horizon ends.
    ExpiryEdges,
    /// Times at, or one ms before, the start of a day or of a boundary.
    DayEdges,
    /// An account whose rate is exactly a round percentage.
    ExactThresholds,
    /// One seller has nearly everything.
    GiantSeller,
    /// Sellers with a single order.
    OneEventSellers,
    /// Ids at the limits of their grammar.
    ExoticIds,
    /// Facts without an event time.
    AbsentEventTimes,
    /// Orders that are pending or cancelled, in all spellings.
    PendingAndCanceled,
    /// Facts of equal event time and different content.
    EqualTimes,
    /// Several claims or chargebacks on one order, with and without ids of their own.
    SeveralRefs,
    /// The marketplace's own word on whether a defect counts.
    OdrImpact,
    /// Every kind of dead letter but those below.
    BadRecords,
    /// A value beyond the limit of 1 MiB (rare, because it costs).
    TooLarge,
    /// Null values.
    Tombstones,
    /// Records in another partition than their seller's.
    Misrouted,
    /// Timestamps that go backwards within a partition.
    BackwardTimestamps,
    /// Records without a timestamp (only where the configuration allows them).
    MissingTimestamps,
    /// Many records in few boundaries.
    Bursts,
    /// Days without any record.
    Pauses,
    /// JSON as others write it: field order, white space, escapes, second spellings, unknown
    /// fields, times with offsets and any fraction.
    OddSpelling,
}

/// A set of features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(u32);

impl Feature {
    /// All features.
    pub const ALL: [Self; 30] = [
        Self::Duplicates,
        Self::Shuffles,
        Self::LateFacts,
        Self::Reversals,
        Self::Reinstatements,
        Self::EarlyDefects,
        Self::Orphans,
        Self::MarketplaceCorrections,
        Self::ChannelCorrections,
        Self::TwoPurchaseDays,
        Self::ExpiryEdges,
        Self::DayEdges,
        Self::ExactThresholds,
        Self::GiantSeller,
        Self::OneEventSellers,
        Self::ExoticIds,
        Self::AbsentEventTimes,
        Self::PendingAndCanceled,
        Self::EqualTimes,
        Self::SeveralRefs,
        Self::OdrImpact,
        Self::BadRecords,
        Self::TooLarge,
        Self::Tombstones,
        Self::Misrouted,
        Self::BackwardTimestamps,
        Self::MissingTimestamps,
        Self::Bursts,
        Self::Pauses,
        Self::OddSpelling,
    ];

    fn bit(self) -> u32 {
        let place = Self::ALL.iter().position(|of| *of == self);
        1 << place.expect("ALL lists every feature")
    }
}

impl Features {
    /// No feature: a tame workload.
    pub const NONE: Self = Self(0);

    /// A random subset: each with one half, a value too large with one in a hundred.
    pub(super) fn draw(random: &mut Random, missing_timestamps: bool) -> Self {
        let mut features = Self::NONE;
        for feature in Feature::ALL {
            let chance = match feature {
                Feature::TooLarge => 10_000,
                Feature::MissingTimestamps if !missing_timestamps => 0,
                _ => 500_000,
            };
            if random.chance(chance) {
                features = features.with(feature);
            }
        }
        features
    }

    /// This set and one feature more.
    #[must_use]
    pub fn with(self, feature: Feature) -> Self {
        Self(self.0 | feature.bit())
    }

    /// This set without a feature.
    #[must_use]
    pub fn without(self, feature: Feature) -> Self {
        Self(self.0 & !feature.bit())
    }

    /// Whether a feature is in it.
    #[must_use]
    pub fn has(self, feature: Feature) -> bool {
        self.0 & feature.bit() != 0
    }

    /// The features in it.
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        Feature::ALL.into_iter().filter(move |feature| self.has(*feature))
    }
}
