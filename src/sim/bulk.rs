//! Many plain events, cheaply: what the benches read.
//!
//! An order is a function of the seed and its index, so nothing is kept: duplicates and defects
//! are drawn for an earlier index and written again. Invariants: record times never go back; every
//! record is valid; the same configuration gives the same bytes. Absent on purpose: stories, bad
//! records, and any allocation per record once the buffers have grown.

use super::facts::{Body, Head, render};
use super::json::write_digits;
use super::random::{Random, mix, scale};
use crate::domain::event::{Channel, Topic};
use crate::domain::time::DAY_MS;

/// How much there is of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkConfig {
    /// The seed.
    pub seed: u64,
    /// Orders; there are about 9 % more records than that.
    pub orders: u64,
    /// Days over which the orders' records are spread evenly.
    pub days: u32,
    /// Sellers, whose sizes follow Zipf's law.
    pub sellers: u32,
    /// The first record time.
    pub start_ms: i64,
    /// Share of orders whose record is sent twice, per million.
    pub duplicates: u32,
    /// Share of orders after which an event of a defect follows, per million.
    pub defects: u32,
}

impl BulkConfig {
    /// The usual mix: 3 % duplicates, 6 % events of defects.
    #[must_use]
    pub const fn new(seed: u64, orders: u64, days: u32, sellers: u32, start_ms: i64) -> Self {
        Self { seed, orders, days, sellers, start_ms, duplicates: 30_000, defects: 60_000 }
    }
}

/// Which record was written into the buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkRecord {
    /// Its topic.
    pub topic: Topic,
    /// Its timestamp.
    pub timestamp_ms: i64,
    /// Its seller's number, 0 being the largest.
    pub seller: u32,
}

/// The buffers of a record, used again for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BulkBuffers {
    /// The key: the seller's id.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

/// Share of facts that become known late, per million, and by how much at most.
const LATE: u32 = 50_000;
const LATE_AT_MOST_MS: i64 = 3 * DAY_MS;
/// Defects are about orders of the last 30 days.
const DEFECT_DAYS: u64 = 30;

/// A generator of records.
#[derive(Debug)]
pub struct Bulk {
    config: BulkConfig,
    /// The sellers' shares, summed up, for a binary search.
    shares: Vec<u64>,
    random: Random,
    /// The next order.
    next: u64,
    /// What follows the order before it.
    duplicate: Option<u64>,
    defect: Option<u64>,
}

/// What is drawn for an order's index.
struct Drawn {
    seller: u32,
    number: u64,
    purchase_ms: i64,
    channel: Channel,
    canceled: bool,
    marketplace: &'static str,
}

impl Bulk {
    /// A generator; draws nothing yet.
    ///
    /// # Panics
    /// Without sellers or days.
    #[must_use]
    pub fn new(config: BulkConfig) -> Self {
        assert!(config.sellers > 0 && config.days > 0, "an empty market");
        let mut sum = 0;
        let shares = (1..=u64::from(config.sellers)).map(|rank| {
            sum += (1 << 40) / rank;
            sum
        });
        Self {
            config,
            shares: shares.collect(),
            random: Random::new(config.seed),
            next: 0,
            duplicate: None,
            defect: None,
        }
    }

    /// Writes the next record into the buffers; `None` when all orders are written.
    pub fn next_into(&mut self, buffers: &mut BulkBuffers) -> Option<BulkRecord> {
        if let Some(order) = self.duplicate.take() {
            return Some(self.write_order(order, buffers));
        }
        if let Some(order) = self.defect.take() {
            return Some(self.write_defect(order, buffers));
        }
        if self.next == self.config.orders {
            return None;
        }
        let order = self.next;
        self.next += 1;
        let daily = self.config.orders / u64::from(self.config.days);
        // A duplicate repeats an order of the last day, of the last few thousand, as a producer
        // that tries again does.
        if self.random.chance(self.config.duplicates) {
            let reach = daily.min(4_096).clamp(1, self.next);
            self.duplicate = Some(order - self.random.below(reach));
        }
        if self.random.chance(self.config.defects) {
            let reach = (daily * DEFECT_DAYS).clamp(1, self.next);
            self.defect = Some(order - self.random.below(reach));
        }
        Some(self.write_order(order, buffers))
    }

    /// The record time of the newest order.
    fn now_ms(&self) -> i64 {
        self.time_of(self.next.saturating_sub(1))
    }

    fn time_of(&self, order: u64) -> i64 {
        let span = u128::from(u64::from(self.config.days) * DAY_MS.unsigned_abs());
        let after = span * u128::from(order) / u128::from(self.config.orders);
        let after = i64::try_from(after).expect("days fit");
        self.config.start_ms + after
    }

    fn draw(&self, order: u64) -> Drawn {
        let first = mix(mix(self.config.seed).wrapping_add(order));
        let second = mix(first);
        let third = mix(second);
        let total = *self.shares.last().expect("there are sellers");
        let point = scale(first, total);
        let rank = self.shares.partition_point(|share| *share <= point);
        let late = scale(third, 1_000_000) < u64::from(LATE);
        let delay = if late {
            i64::try_from(scale(mix(third), LATE_AT_MOST_MS.unsigned_abs())).expect("3 days")
        } else {
            i64::try_from(200 + second % 5_000).expect("seconds")
        };
        // The order's index keeps numbers apart; the head looks like Amazon's.
        let number = 30_000_000_000_000_000 + order * 1_000 + second % 1_000;
        Drawn {
            seller: u32::try_from(rank).expect("sellers are counted in 32 bits"),
            number,
            purchase_ms: self.time_of(order) - delay,
            channel: if third & 1 == 0 { Channel::Mfn } else { Channel::Afn },
            canceled: second.is_multiple_of(33),
            marketplace: if rank % 2 == 0 { "ATVPDKIKX0DER" } else { "A1PA6795UKMFR9" },
        }
    }

    fn write_order(&self, order: u64, buffers: &mut BulkBuffers) -> BulkRecord {
        let drawn = self.draw(order);
        let status = if drawn.canceled { "Canceled" } else { "Unshipped" };
        let body = Body::Order {
            purchase_ms: drawn.purchase_ms,
            channel: drawn.channel,
            status,
            shipped: None,
        };
        self.write(&drawn, drawn.purchase_ms, &body, buffers)
    }

    fn write_defect(&mut self, order: u64, buffers: &mut BulkBuffers) -> BulkRecord {
        let drawn = self.draw(order);
        let age = self.now_ms() - drawn.purchase_ms;
        let late = if self.random.chance(LATE) {
            self.random.between(0, LATE_AT_MOST_MS.min(age))
        } else {
            0
        };
        let event_ms = self.now_ms() - late;
        let id = drawn.number % 10_000_000_000;
        let body = match self.random.below(100) {
            0..60 => {
                let statuses = ["posted", "posted", "posted", "updated", "removed"];
                let status = self.random.pick_str(&statuses);
                Body::Feedback {
                    rating: *self.random.pick(&[1, 1, 2, 3, 5]),
                    status,
                    comment: Some("Arrived late, and the box was open."),
                }
            }
            60..88 => {
                let status = self.random.pick_str(&["filed", "under_review", "granted", "denied"]);
                Body::Claim { id, status, funded_by: (status == "granted").then_some("seller") }
            }
            _ => Body::Chargeback {
                id,
                status: self.random.pick_str(&["opened", "lost", "won"]),
                reason: self.random.pick_str(&["service", "service", "fraud"]),
            },
        };
        self.write(&drawn, event_ms, &body, buffers)
    }

    fn write(
        &self,
        drawn: &Drawn,
        event_ms: i64,
        body: &Body<'_>,
        buffers: &mut BulkBuffers,
    ) -> BulkRecord {
        buffers.key.clear();
        buffers.key.extend_from_slice(b"A1SELLER");
        write_digits(&mut buffers.key, u64::from(drawn.seller), 6);
        let head = Head {
            seller: std::str::from_utf8(&buffers.key).expect("it is ASCII"),
            marketplace: drawn.marketplace,
            order: drawn.number,
            event_ms,
        };
        buffers.value.clear();
        render(&mut buffers.value, &head, body);
        BulkRecord { topic: body.topic(), timestamp_ms: self.now_ms(), seller: drawn.seller }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: BulkConfig = BulkConfig::new(9, 50_000, 90, 1_000, 1_700_000_000_000);

    #[test]
    fn the_mix_is_as_promised_and_time_never_goes_back() {
        let (mut bulk, mut buffers) = (Bulk::new(CONFIG), BulkBuffers::default());
        let (mut last, mut largest) = (CONFIG.start_ms, 0);
        let mut by_topic = [0_u32; 4];
        while let Some(record) = bulk.next_into(&mut buffers) {
            assert!(record.timestamp_ms >= last);
            last = record.timestamp_ms;
            by_topic[record.topic.index()] += 1;
            largest += u32::from(record.seller == 0);
            let value: serde_json::Value = serde_json::from_slice(&buffers.value).unwrap();
            let seller = value["seller_id"].as_str().unwrap();
            assert_eq!(seller.as_bytes(), buffers.key);
            let event: jiff::Timestamp = value["event_time"].as_str().unwrap().parse().unwrap();
            let age = record.timestamp_ms - event.as_millisecond();
            let late = 0..LATE_AT_MOST_MS + DAY_MS;
            assert!(late.contains(&age), "{age}");
        }
        assert!(last < CONFIG.start_ms + 90 * DAY_MS);
        assert!(last > CONFIG.start_ms + 89 * DAY_MS);
        let [orders, feedback, claims, chargebacks] = by_topic;
        assert!((51_200..51_800).contains(&orders), "{orders}");
        let defects = feedback + claims + chargebacks;
        assert!((2_700..3_300).contains(&defects), "{defects}");
        assert!(feedback > claims && claims > chargebacks && chargebacks > 200);
        // Zipf: the first of a thousand has 1 / H(1000), about 13 %.
        assert!((6_300..8_000).contains(&largest), "{largest}");
    }

    #[test]
    fn the_same_configuration_gives_the_same_bytes() {
        let write = || {
            let (mut bulk, mut buffers) = (Bulk::new(CONFIG), BulkBuffers::default());
            let mut written = Vec::new();
            for _ in 0..2_000 {
                let record = bulk.next_into(&mut buffers).unwrap();
                written.push((record, buffers.clone()));
            }
            written
        };
        assert!(write() == write());
    }
}
