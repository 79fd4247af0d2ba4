//! The hot path does not allocate: neither decoding a good record, nor taking it in, nor closing
//! its boundary, once the memory that is used again and again has grown. What is left is the order
//! index, which grows in small pieces: one allocation in twenty-five records of this market.
//!
//! One test in a program of its own, for the allocator counts what every thread does.

#![expect(clippy::unwrap_used, reason = "a failed step ends the test")]

use odrwatch::domain::effects::Effects;
use odrwatch::domain::event::{Outcome, Topic};
use odrwatch::domain::ids::Offset;
use odrwatch::domain::shard::Shard;
use odrwatch::domain::time::RecordTime;
use odrwatch::pipeline::intake::{Intake, Taken};
use odrwatch::wire::input::Limits as InputLimits;
use odrwatch::wire::time::instant;

#[path = "support/counting.rs"]
mod counting;

use counting::{Counting, allocations};

#[path = "support/shard.rs"]
mod shard;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// 2026-01-01T00:00:00Z.
const START_MS: i64 = 1_767_225_600_000;
/// Between two steps; so a day has 864 of them, and 100,000 steps pass the horizon.
const STEP_MS: i64 = 100_000;
/// Steps until orders leave as others come.
const WARM_UP: u32 = 100_000;
/// Steps that are counted.
const COUNTED: u32 = 50_000;
/// Steps between a record and what comes back to it.
const BACK: u32 = 2_000;

/// A record in memory.
struct Record {
    topic: Topic,
    time_ms: i64,
    value: String,
}

/// The order id of a step: of Amazon's form, short, and as long as a UUID.
fn order_id(step: u32) -> String {
    match step % 3 {
        0 => format!("302-{step:07}-0000001"),
        1 => format!("S01-{step}"),
        _ => format!("{step:08x}-8a1b-4c2d-9e3f-0123456789ab"),
    }
}

/// What becomes known in a step: an order; in some, its fate; in some, a defect on an earlier
/// order or the same defect's next word. Nothing that counts, so that nothing alerts.
fn step(step: u32, out: &mut Vec<Record>) {
    let at = |step: u32| START_MS + i64::from(step) * STEP_MS;
    let (time_ms, now) = (at(step), instant(at(step)));
    let head = |of: u32| {
        let (seller, order) = (of % 97, order_id(of));
        format!("\"seller_id\":\"A{seller:012}\",\"order_id\":\"{order}\"")
    };
    let order = |of: u32, status: &str| {
        let (head, bought) = (head(of), instant(at(of)));
        format!(
            "{{\"event_time\":\"{now}\",{head},\"marketplace_id\":\"ATVPDKIKX0DER\",\
             \"purchase_date\":\"{bought}\",\"fulfillment_channel\":\"MFN\",\
             \"order_status\":\"{status}\"}}"
        )
    };
    let mut push = |topic, value| out.push(Record { topic, time_ms, value });
    push(Topic::Orders, order(step, "Unshipped"));
    let back = step.saturating_sub(BACK);
    let stated = format!("\"event_time\":\"{now}\",{}", head(back));
    match step % 10 {
        0 => push(Topic::Orders, order(back, "Shipped")),
        1 => push(
            Topic::Feedback,
            format!(
                "{{{stated},\"rating\":5,\"comment\":\"Good \\\"box\\\"\",\"status\":\"posted\"}}"
            ),
        ),
        2 => push(
            Topic::Claims,
            format!("{{{stated},\"claim_id\":\"{back:08x}-1111-4c2d\",\"status\":\"denied\"}}"),
        ),
        3 => push(
            Topic::Chargebacks,
            format!("{{{stated},\"chargeback_id\":\"CB{back}\",\"status\":\"won\"}}"),
        ),
        4 => {
            let back = step.saturating_sub(2 + BACK);
            let stated = format!("\"event_time\":\"{now}\",{}", head(back));
            push(
                Topic::Claims,
                format!(
                    "{{{stated},\"claim_id\":\"{back:08x}-1111-4c2d\",\"status\":\"reversed\"}}"
                ),
            );
        }
        _ => {}
    }
}

/// A shard and what feeds it.
struct Engine {
    shard: Shard,
    intake: Intake,
    effects: Effects,
    offsets: [i64; 4],
    applied: u64,
}

impl Engine {
    fn new() -> Self {
        let shard = Shard::new(shard::config(false));
        Self {
            shard,
            intake: Intake::new(InputLimits::with_partitions(1)),
            effects: Effects::default(),
            offsets: [0; 4],
            applied: 0,
        }
    }

    fn feed(&mut self, records: &[Record]) {
        for record in records {
            let offset = &mut self.offsets[record.topic.index()];
            let (at, time) = (Offset::new(*offset), RecordTime::from_ms(record.time_ms));
            *offset += 1;
            let value = Some(record.value.as_bytes());
            let taken = self.intake.take(&mut self.shard, record.topic, at, Some(time), value);
            assert_eq!(taken, Ok(Taken::Waits), "{}", record.value);
            while let Some(boundary) = self.shard.next_closable() {
                self.shard.close(boundary, &mut self.effects).unwrap();
            }
            assert!(self.effects.alerts.is_empty() && self.effects.dead.is_empty());
            for outcomes in self.effects.outcomes.by_topic {
                self.applied += outcomes[Outcome::Applied.index()];
            }
            self.effects.clear();
        }
    }
}

#[test]
fn a_good_record_is_decoded_taken_in_and_closed_without_an_allocation() {
    let mut records = Vec::new();
    (0..WARM_UP).for_each(|number| step(number, &mut records));
    let warm = records.len();
    (WARM_UP..WARM_UP + COUNTED).for_each(|number| step(number, &mut records));
    let (first, counted) = records.split_at(warm);
    let mut engine = Engine::new();
    engine.feed(first);
    let (held, applied) = (engine.shard.held(), engine.applied);
    let before = allocations();
    engine.feed(counted);
    let allocations = allocations() - before;
    // It is work that was counted: all topics, new orders and defects, and old ones that left.
    let events = u64::try_from(counted.len()).unwrap();
    assert!(events > 70_000 && engine.applied - applied > events * 9 / 10, "{}", engine.applied);
    assert!(held.orders > 50_000 && engine.shard.held().orders < held.orders + 10_000, "{held:?}");
    println!("{allocations} allocations for {events} events");
    assert!(allocations * 20 < events, "{allocations} allocations for {events} events");
}
