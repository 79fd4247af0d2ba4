//! Commits of which a broker lost a part: completed once, whatever was lost and whatever the clock
//! says, or never seen at all.

use super::tests::{alerts, batch, cluster, poll, progress_of};
use super::*;
use crate::pipeline::ports::Broker;

/// So many choices lose every set of the four places that a transaction of [`batch`] writes to.
const CHOICES: u64 = 200;

fn lost(choice: u64) -> CommitFault {
    CommitFault::MarkersLost { choice, is_answered: choice.is_multiple_of(2) }
}

#[test]
fn what_was_committed_in_part_is_completed_once_or_was_never_seen() {
    let mut outcomes = [0, 0];
    for choice in 0..CHOICES {
        let cluster = cluster(1);
        let mut broker = cluster.member("a", 0);
        poll(&mut broker);
        cluster.fail_next_commit(lost(choice));
        let _ = broker.commit(&batch(0, 1, 1));
        // A second look finds nothing to do.
        for _ in 0..2 {
            broker.reconnect().unwrap();
            let seen = alerts(&cluster, 0).len();
            let progress = progress_of(&mut broker, 0).unwrap_or(0);
            assert_eq!(u64::try_from(seen).unwrap(), progress, "choice {choice}");
            outcomes[seen] += 1;
            assert!(cluster.is_settled());
        }
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}

#[test]
fn a_clock_that_was_set_back_hides_no_broken_commit() {
    for choice in 0..CHOICES {
        let cluster = cluster(1);
        let mut broker = cluster.member("a", 0);
        poll(&mut broker);
        broker.set_clock_ms(100_000);
        broker.commit(&batch(0, 1, 1)).unwrap();
        broker.set_clock_ms(90_000);
        cluster.fail_next_commit(lost(choice));
        let _ = broker.commit(&batch(0, 2, 2));
        broker.reconnect().unwrap();
        let seen = alerts(&cluster, 0).len();
        assert_eq!(progress_of(&mut broker, 0), Some(u64::try_from(seen).unwrap()), "{choice}");
    }
}

#[test]
fn a_broker_that_lost_an_end_during_the_very_commit_is_found_out_before_the_next() {
    for choice in 0..CHOICES {
        let cluster = cluster(1);
        let mut broker = cluster.member("a", 0);
        poll(&mut broker);
        cluster.fail_next_commit(CommitFault::MarkersLost { choice, is_answered: true });
        broker.commit(&batch(0, 1, 1)).unwrap();
        let was_seen = alerts(&cluster, 0).len() + usize::from(cluster.is_settled());
        let next = broker.commit(&batch(0, 2, 2));
        if next.is_err() {
            broker.reconnect().unwrap();
        }
        let progress = progress_of(&mut broker, 0).unwrap_or(0);
        let seen = u64::try_from(alerts(&cluster, 0).len()).unwrap();
        assert_eq!(seen, progress, "choice {choice}, {was_seen} seen before");
    }
}

#[test]
fn an_end_of_the_offsets_alone_that_is_lost_is_brought_when_nothing_else_is_committed() {
    let mut found = 0;
    for choice in 0..CHOICES {
        let cluster = cluster(1);
        let mut broker = cluster.member("a", 0);
        poll(&mut broker);
        cluster.fail_next_commit(CommitFault::MarkersLost { choice, is_answered: true });
        broker.commit(&batch(0, 1, 1)).unwrap();
        let is_read = alerts(&cluster, 0).len() == 1;
        if !is_read
            || cluster.is_settled()
            || broker.committed(crate::domain::ids::ShardNo::new(0)).is_ok()
        {
            continue;
        }
        found += 1;
        assert!(!broker.has_lost_an_end(), "it may be on its way");
        cluster.set_clock_ms(6_000);
        assert!(broker.has_lost_an_end());
        broker.reconnect().unwrap();
        assert_eq!(progress_of(&mut broker, 0), Some(1));
        assert!(cluster.is_settled() && !broker.has_lost_an_end());
    }
    assert!(found > 0, "no choice loses the end of the offsets alone");
}
