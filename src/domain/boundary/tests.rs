//! What belongs to which boundary, and when one can close.

use super::*;

fn inbox() -> Inbox {
    Inbox::new(BoundaryLength::from_ms(5000).unwrap(), [NextOffset::stated(0); 4])
}

fn push(inbox: &mut Inbox, topic: Topic, offset: i64, time: Option<i64>) {
    inbox.push(topic, Offset::new(offset), time.map(RecordTime::from_ms), Waiting::Tombstone);
}

#[test]
fn i_1_a_timestamp_that_goes_back_does_not_move_the_watermark_back() {
    let mut inbox = inbox();
    push(&mut inbox, Topic::Orders, 0, Some(12_000));
    push(&mut inbox, Topic::Orders, 1, Some(3_000));
    assert_eq!(inbox.watermark(Topic::Orders), Some(RecordTime::from_ms(12_000)));
    assert_eq!(inbox.first_waiting(), Some(Boundary::from_number(3)));
    assert_eq!(inbox.last_waiting(), Some(Boundary::from_number(3)));
}

#[test]
fn i_2_boundaries_cut_the_log_into_consecutive_segments() {
    let mut inbox = inbox();
    for (offset, time) in [(0, 1), (1, 2), (2, 7_000), (9, 21_000)] {
        push(&mut inbox, Topic::Orders, offset, Some(time));
    }
    assert_eq!(inbox.open_segment(Topic::Orders, Boundary::from_number(1)), 2);
    assert_eq!(inbox.closed(Topic::Orders).next, NextOffset::stated(2));
    inbox.pop(Topic::Orders);
    inbox.pop(Topic::Orders);
    assert_eq!(inbox.open_segment(Topic::Orders, Boundary::from_number(2)), 1);
    let closed = inbox.closed(Topic::Orders);
    assert_eq!((closed.next.get(), closed.watermark.unwrap().ms()), (3, 7_000));
}

#[test]
fn i_3_a_boundary_closes_only_when_all_four_watermarks_reached_it() {
    let mut inbox = inbox();
    for topic in [Topic::Orders, Topic::Feedback, Topic::Claims] {
        push(&mut inbox, topic, 0, Some(5_000));
    }
    assert!(!inbox.can_close(Boundary::from_number(1)));
    inbox.raise(Topic::Chargebacks, NextOffset::stated(7), Boundary::from_number(1));
    assert!(inbox.can_close(Boundary::from_number(1)));
    assert!(!inbox.can_close(Boundary::from_number(2)));
    assert_eq!(inbox.open_segment(Topic::Chargebacks, Boundary::from_number(1)), 0);
    assert_eq!(inbox.closed(Topic::Chargebacks).next, NextOffset::stated(7));
}

#[test]
fn a_record_behind_a_decision_belongs_to_the_next_boundary() {
    let mut inbox = inbox();
    inbox.raise(Topic::Claims, NextOffset::stated(3), Boundary::from_number(4));
    push(&mut inbox, Topic::Claims, 3, Some(1));
    assert_eq!(inbox.last_waiting(), Some(Boundary::from_number(5)));
}

#[test]
fn records_before_any_timestamp_belong_to_the_first_boundary_that_closes() {
    let mut inbox = inbox();
    push(&mut inbox, Topic::Orders, 0, None);
    push(&mut inbox, Topic::Orders, 1, Some(99_000));
    assert_eq!(inbox.open_segment(Topic::Orders, Boundary::from_number(1)), 1);
    inbox.pop(Topic::Orders);
    assert_eq!(inbox.waiting_records(), 1);
}

#[test]
fn a_rewind_goes_back_to_the_closed_position_and_its_watermark() {
    let mut inbox = inbox();
    push(&mut inbox, Topic::Orders, 0, Some(1));
    push(&mut inbox, Topic::Orders, 1, Some(8_000));
    inbox.open_segment(Topic::Orders, Boundary::from_number(1));
    inbox.pop(Topic::Orders);
    inbox.rewind();
    assert_eq!(inbox.read_to(Topic::Orders), NextOffset::stated(1));
    assert_eq!(inbox.watermark(Topic::Orders), Some(RecordTime::from_ms(1)));
    assert_eq!(inbox.waiting_records(), 0);
}
