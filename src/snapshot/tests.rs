//! Snapshots of a small shard: every byte of theirs, and the golden file of each version.

use super::format::{self, Expected, Header, Refused};
use crate::advice::{Decision, Noted, Rule};
use crate::domain::effects::Effects;
use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::domain::image::Taking;
use crate::domain::look::AccountLook;
use crate::domain::policy::{Policy, Scope, View};
use crate::domain::shard::{AlertingStart, Limits, Shard, ShardConfig};
use crate::domain::time::{BoundaryLength, RecordTime};
use crate::pipeline::advice::AdviceRules;
use crate::pipeline::intake::Intake;
use crate::wire::decision::DecisionLine;
use crate::wire::input;
use crate::wire::progress::{self, Position, Progress};

const GOLDEN: &[u8] = include_bytes!("../../tests/data/snapshot.v1");
const GOLDEN_2: &[u8] = include_bytes!("../../tests/data/snapshot.v2");

fn config() -> ShardConfig {
    let (scopes, views) = (Scope::ALL.to_vec(), View::ALL.to_vec());
    ShardConfig {
        shard: ShardNo::new(0),
        policy: Policy { scopes, views, ..Policy::default() },
        length: BoundaryLength::from_ms(5_000).unwrap(),
        future_days: 3,
        limits: Limits::default(),
        start: AlertingStart::Earliest,
        statuses: true,
        matters: true,
        hash_seed: 5,
        first: [NextOffset::stated(0); 4],
    }
}

/// A shard with some of everything: two sellers, two marketplaces, an odd id, an orphan, alerts.
fn shard() -> Shard {
    let order = |seller: &str, order: &str, market: &str, day: u32| {
        format!(
            r#"{{"seller_id":"{seller}","order_id":"{order}","marketplace_id":"{market}",
            "event_time":"2026-03-{day:02}T10:00:00Z","purchase_date":"2026-03-{day:02}T10:00:00Z",
            "fulfillment_channel":"MFN","order_status":"Shipped"}}"#
        )
    };
    let claim = |seller: &str, order: &str, id: &str, status: &str| {
        format!(
            r#"{{"seller_id":"{seller}","order_id":"{order}","claim_id":"{id}","status":"{status}",
            "event_time":"2026-03-04T10:00:00Z"}}"#
        )
    };
    let orders = [
        order("A2SELLER", "302-0000007-0000001", "ATVPDKIKX0DER", 1),
        order("A2SELLER", "302-0000007-0000002", "A1PA6795UKMFR9", 2),
        order("A2SELLER", "odd order", "", 2),
        order("A1SELLER", "302-0000007-0000001", "", 3),
    ];
    let claims = [
        claim("A2SELLER", "302-0000007-0000001", "C-1", "granted"),
        claim("A2SELLER", "302-0000007-0000001", "C-2", "filed"),
        claim("A2SELLER", "odd order", "C-3", "granted"),
        claim("A1SELLER", "302-0000009-0000009", "C-4", "granted"),
    ];
    let mut shard = Shard::new(config());
    let mut intake = Intake::new(input::Limits::with_partitions(1));
    let mut now = 1_772_700_000_000;
    for (topic, values) in [(Topic::Orders, orders), (Topic::Claims, claims)] {
        for (offset, value) in (0..).zip(values) {
            now += 1_000;
            let (offset, time) = (Offset::new(offset), Some(RecordTime::from_ms(now)));
            intake.take(&mut shard, topic, offset, time, Some(value.as_bytes())).unwrap();
        }
    }
    let last = shard.inbox().last_waiting().unwrap();
    let mut effects = Effects::default();
    shard.close_through(last, &mut effects).unwrap();
    assert!(effects.outcomes.dead.iter().flatten().all(|count| *count == 0), "{effects:?}");
    assert!(effects.alerts.len() > 3 && shard.held().orphans == 1, "{effects:?}");
    shard.rewind();
    shard
}

/// The same with what version 2 added: a feedback with a note, whose first event was another one.
fn advised_shard() -> Shard {
    let mut shard = shard();
    let (limits, rules) = (input::Limits::with_partitions(1), AdviceRules::default());
    let mut intake = Intake::reading(limits, Some(rules), &Policy::default());
    for (offset, hour) in (0..).zip([8, 9]) {
        let value = format!(
            r#"{{"seller_id":"A2SELLER","order_id":"odd order",
            "event_time":"2026-03-05T{hour:02}:00:00Z","rating":1,"status":"updated",
            "comment":"Seller's e-mail: lamps@shop.example"}}"#
        );
        let time = Some(RecordTime::from_ms(1_772_704_800_000 + offset));
        let offset = Offset::new(offset);
        intake.take(&mut shard, Topic::Feedback, offset, time, Some(value.as_bytes())).unwrap();
    }
    let last = shard.inbox().last_waiting().unwrap();
    let mut effects = Effects::default();
    shard.close_through(last, &mut effects).unwrap();
    assert_eq!((effects.matters.len(), effects.quotes.len()), (2, 1), "{effects:?}");
    shard.rewind();
    shard
}

fn header(shard: &Shard) -> Header {
    let positions = shard.positions();
    Header {
        group: "odrwatch".to_owned(),
        cluster: "cluster-1/orders,feedback,claims,chargebacks".to_owned(),
        progress: Progress {
            number: 7,
            shard: shard.number(),
            from: [NextOffset::stated(0); 4],
            boundary: shard.closed(),
            boundary_length: shard.length(),
            positions: positions
                .map(|position| Position { next: position.next, watermark: position.watermark }),
            shards: None,
            logs: Default::default(),
            decisions: vec![DecisionLine::RecordTime {
                topic: Topic::Orders,
                partition: shard.number(),
                offset: Offset::new(99),
                record_time: RecordTime::from_ms(1_772_700_009_000),
            }],
            seq: shard.seq(),
            outputs_written: 0,
            engine: progress::ENGINE.to_owned(),
            policy: "00112233445566778899aabbccddeeff".to_owned(),
            owner: None,
            snapshot: None,
            digest: shard.digest(),
        },
        progress_at: Some(Offset::new(13)),
    }
}

fn expected() -> Expected {
    Expected {
        group: "odrwatch".to_owned(),
        cluster: "cluster-1/orders,feedback,claims,chargebacks".to_owned(),
        policy: "00112233445566778899aabbccddeeff".to_owned(),
        shard: ShardNo::new(0),
        committed: 7,
    }
}

fn written(shard: &Shard) -> Vec<u8> {
    let mut taking = Taking::begin(shard).unwrap();
    while !taking.step(shard, 3) {}
    format::write(&header(shard), taking.finish())
}

fn refused(bytes: &[u8], expected: &Expected) -> Refused {
    format::read(bytes, expected, config()).unwrap_err()
}

#[test]
fn what_is_written_is_read_back() {
    let shard = advised_shard();
    let bytes = written(&shard);
    let (found, restored) = format::read(&bytes, &expected(), config()).unwrap();
    assert_eq!(found, header(&shard));
    assert_eq!(format::read_header(&bytes).unwrap(), found);
    assert_eq!(restored.totals(), shard.totals());
    assert_eq!(written(&restored), bytes);
}

#[test]
fn every_changed_byte_is_found() {
    let bytes = written(&advised_shard());
    for place in 0..bytes.len() {
        for flip in [0x01, 0x20, 0x80, 0xFF] {
            let mut changed = bytes.clone();
            changed[place] ^= flip;
            let why = refused(&changed, &expected());
            let place_fits = match &why {
                Refused::NoSnapshot => place < 8,
                Refused::NewerVersion { .. } => (8..10).contains(&place),
                Refused::Damaged(_) => place >= 8,
                other => panic!("byte {place} ^ {flip:#x}: {other}"),
            };
            assert!(place_fits, "byte {place} ^ {flip:#x}: {why}");
        }
    }
}

#[test]
fn every_truncation_and_every_addition_is_found() {
    let bytes = written(&shard());
    for length in 0..bytes.len() {
        let why = refused(&bytes[..length], &expected());
        assert!(matches!(why, Refused::Damaged(_)), "{length} bytes: {why}");
    }
    let longer = [bytes.as_slice(), b"\0"].concat();
    assert!(matches!(refused(&longer, &expected()), Refused::Damaged(_)));
    let twice = [bytes.as_slice(), &bytes].concat();
    assert!(matches!(refused(&twice, &expected()), Refused::Damaged(_)));
}

#[test]
fn strangers_are_refused_by_name() {
    let bytes = written(&shard());
    let mut others = [(); 5].map(|()| expected());
    others[0].group = "other".to_owned();
    others[1].cluster = "cluster-2".to_owned();
    others[2].shard = ShardNo::new(3);
    others[3].policy = "ff".to_owned();
    others[4].committed = 6;
    let words = others.map(|other| refused(&bytes, &other).to_string());
    assert_eq!(
        words.each_ref().map(String::as_str),
        [
            "it is of group odrwatch, and not of other",
            "it is of cluster cluster-1/orders,feedback,claims,chargebacks, and not of cluster-2",
            "it is of shard 0, and not of 3",
            "it was computed with policy 00112233445566778899aabbccddeeff, and this is ff",
            "it was taken at progress record 7, and the last one committed is 6",
        ]
    );
}

#[test]
fn the_golden_snapshot_of_version_1_is_read_for_ever() {
    let (found, restored) = format::read(GOLDEN, &expected(), config()).unwrap();
    let shard = shard();
    assert_eq!(found, header(&shard));
    assert_eq!(restored.digest(), shard.digest());
    assert_eq!(restored.totals(), shard.totals());
    assert_eq!(restored.held(), shard.held());
    assert_eq!(restored.at_risk(), shard.at_risk());
}

#[test]
fn the_golden_snapshot_of_version_2_is_read_for_ever() {
    let (found, restored) = format::read(GOLDEN_2, &expected(), config()).unwrap();
    let shard = advised_shard();
    assert_eq!(found, header(&shard));
    let look = restored.look("A2SELLER", "").unwrap();
    // The advice of today may see something else in the comment than that of the file.
    let without_notes = |mut look: AccountLook| {
        look.defects.iter_mut().for_each(|defect| defect.note = None);
        look
    };
    let of_today = shard.look("A2SELLER", "").unwrap();
    assert_eq!(without_notes(look.clone()), without_notes(of_today));
    let feedback = look.defects.iter().find(|defect| defect.note.is_some()).unwrap();
    assert_eq!(feedback.event_time.ms() - feedback.opened.ms(), 3_600_000);
    let noted = Noted::of_bytes(feedback.note.as_ref().unwrap().as_bytes()).unwrap();
    assert_eq!(noted.compact.decisions[Rule::PersonalData.index()], Decision::Eligible);
    assert_eq!(written(&restored), GOLDEN_2, "what this version writes");
}

#[test]
fn the_golden_snapshot_agrees_with_what_it_says_of_itself() {
    // Two granted claims of A2SELLER and one filed beside one of them: two of three orders.
    let (found, restored) = format::read(GOLDEN, &expected(), config()).unwrap();
    let totals = restored.totals();
    let of = |seller: &str| {
        let mine = totals.iter().filter(|total| {
            total.seller_id.as_ref() == seller
                && (total.scope, total.view) == (Scope::All, View::Live)
        });
        mine.fold((0, 0), |(orders, defective), total| {
            (orders + total.counts.orders, defective + total.counts.defective)
        })
    };
    assert_eq!((of("A2SELLER"), of("A1SELLER")), ((3, 2), (1, 0)));
    assert_eq!(found.progress.positions[0].next, NextOffset::stated(4));
    assert_eq!(found.progress.digest, restored.digest());
}
