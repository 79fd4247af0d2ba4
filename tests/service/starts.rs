//! How the service begins and ends: what it refuses, who takes over, and what its end says.

use odrwatch::domain::event::Topic;
use odrwatch::sim::murmur2::partition_of;
use odrwatch::wire::progress::Progress;
use tempfile::TempDir;

use super::check::{Check, committed_alerts, progress};
use super::child::Odrwatch;
use super::feed::{Written, feedback, keyed, order};
use super::now_ms;
use super::probe::Probe;
use super::stage::Stage;
use crate::support::Deadline;
use crate::support::certificates::Certificates;
use crate::support::topics::{Record, create_topics};

#[test]
fn unfit_topics_are_listed_all_at_once_with_their_cures() {
    let stage = Stage::bare("unfit", 4);
    let orders = stage.input(Topic::Orders);
    let feedback = stage.input(Topic::Feedback);
    let chargebacks = stage.input(Topic::Chargebacks);
    let forever = ("retention.ms", "-1");
    create_topics(
        &stage.bootstrap(),
        &[
            (&orders, 4, &[forever, ("cleanup.policy", "compact")]),
            (&feedback, 2, &[forever]),
            (&chargebacks, 4, &[forever]),
        ],
    );
    let mut service = Odrwatch::start(&stage, "a", &[]);
    assert_eq!(service.wait(), Some(78), "{}", service.log());
    let log = service.log();
    for words in [
        "unfit-orders: its cleanup.policy is compact",
        "--entity-name unfit-orders --add-config cleanup.policy=delete",
        "unfit-feedback",
        "unfit-claims",
        "unfit-alerts",
        "unfit-progress",
        "odrwatch topics create",
    ] {
        assert!(log.contains(words), "{words:?} in\n{log}");
    }
}

#[test]
fn a_newer_instance_of_the_same_name_takes_over_and_the_older_one_says_so() {
    let stage = Stage::new("twice", 2);
    let probe = Probe::new(&stage);
    let mut written = Written::default();
    let mut older = Odrwatch::start(&stage, "a", &[]);
    older.await_ready();
    let mut newer = Odrwatch::start(&stage, "a", &[]);
    assert_eq!(older.wait(), Some(75), "{}", older.log());
    assert!(older.log().contains("fenced by a newer instance"), "{}", older.log());
    newer.await_ready();
    let now = now_ms();
    written
        .produce(&stage, &[order(&stage, "S", "302-1", now), feedback(&stage, "S", "302-1", now)]);
    probe.await_done(&written, &mut [&mut newer]);
    newer.stop();
    assert_eq!(Check::new(&stage).alerts(), 1);
}

#[test]
fn a_flood_of_dead_letters_stops_the_service_and_says_of_which_kind() {
    let now = now_ms();
    let seller = "SELLER0";
    let bad = |stage: &Stage, n| keyed(stage, Topic::Feedback, seller, now, format!("{{{n}"));
    let elsewhere = |stage: &Stage, n| {
        let at = partition_of(seller.as_bytes(), stage.partitions);
        let partition = i32::try_from((at + 1) % stage.partitions).unwrap();
        Record { partition, ..order(stage, seller, &format!("302-{n}"), now) }
    };
    for (name, is_misrouted, diagnosis) in [
        ("flood", false, "bad data from a producer"),
        ("elsewhere", true, "a producer uses another partitioner"),
    ] {
        let stage = Stage::new(name, 2);
        let record = |n: usize| if is_misrouted { elsewhere(&stage, n) } else { bad(&stage, n) };
        let records: Vec<Record> = (0..1_200).map(record).collect();
        Written::default().produce(&stage, &records);
        let mut service = Odrwatch::start(&stage, "a", &["engine.dead_letter_breaker_percent=50"]);
        assert_eq!(service.wait(), Some(70), "{}", service.log());
        let log = service.log();
        assert!(log.contains(diagnosis) && log.contains("offset 999"), "{log}");
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the numbers of the run")]
fn a_tls_listener_is_spoken_to_with_its_authority_only() {
    let stage = Stage::new("tls", 2);
    let now = now_ms();
    let mut written = Written::default();
    written
        .produce(&stage, &[order(&stage, "S", "302-1", now), feedback(&stage, "S", "302-1", now)]);
    let tls = stage.broker.tls.bootstrap();
    let start = |bootstrap: &str, authority: &std::path::Path| {
        let bootstrap = format!("kafka.bootstrap_servers={bootstrap}");
        let file = format!(
            "kafka:\n  properties:\n    security.protocol: ssl\n    ssl.ca.location: {}\n",
            authority.display()
        );
        Odrwatch::start_with(&stage, "a", &[&bootstrap], Some(&file))
    };

    let dir = TempDir::new().unwrap();
    let wrong = Certificates::write(dir.path()).ca;
    let mut refused = start(&tls, &wrong);
    assert_eq!(refused.wait(), Some(69), "{}", refused.log());
    let log = refused.log();
    let said = log.lines().last().unwrap_or_default();
    println!("with a wrong authority: {said}");
    assert!(said.starts_with("odrwatch: ") && said.contains("certificate verify failed"), "{log}");
    // A listener without TLS is not spoken to at all.
    let mut refused = start(&stage.bootstrap(), &stage.broker.tls.ca);
    let line = refused.await_line(&["SSL handshake failed"]);
    println!("without TLS there: {line}");
    refused.kill();
    assert!(!refused.log().contains("the topics are fit"), "{}", refused.log());

    let mut service = start(&tls, &stage.broker.tls.ca);
    Probe::new(&stage).await_done(&written, &mut [&mut service]);
    service.stop();
    assert_eq!(Check::new(&stage).alerts(), 1);
}

#[test]
#[expect(clippy::print_stdout, reason = "the numbers of the run")]
fn it_ends_in_order_within_seconds_and_tells_how_far_a_restore_is() {
    let stage = Stage::new("ends", 4);
    let mut written = Written::default();
    let history = super::feed::History { seed: 9, hostile: 20_000, bulk: 40_000 };
    written.produce_all(&stage, &history.records(&stage));
    let probe = Probe::new(&stage);
    let mut service = Odrwatch::start(&stage, "a", &[]);
    probe.await_done(&written, &mut [&mut service]);
    service.await_ready();
    let (asked_ms, before) = (now_ms(), committed_alerts(&stage));
    let owner = service.address().to_string();
    service.stop();
    let took_ms = now_ms() - asked_ms;
    println!("SIGTERM to exit: {took_ms} ms");
    assert!(took_ms < 15_000, "{took_ms} ms");
    let records = progress(&stage);
    let of_last = |of_shard: &Vec<Progress>| of_shard.last().and_then(|last| last.owner.clone());
    let owners: Vec<_> = records.iter().filter_map(of_last).collect();
    assert_eq!(owners, vec![owner; 4], "the address that is bound, not port 0");

    let mut service = Odrwatch::start(&stage, "a", &[]);
    let mut answers = Vec::new();
    let deadline = Deadline::of_step();
    loop {
        let (status, text) = service.get("/readyz");
        answers.push((status, text.clone()));
        if status == 200 {
            break;
        }
        assert_eq!(status, 503, "{text}");
        service.must_run();
        deadline.wait(|| format!("a restore: {text}"));
    }
    let reasons: Vec<&str> = answers.iter().map(|(_, text)| text.as_str()).collect();
    let restoring = reasons.iter().filter(|text| text.contains("restoring, ")).count();
    assert!(restoring > 0, "{reasons:?}");
    // Elsewhere than on a terminal, one line for all shards.
    service.await_line(&["\"done\"", "restoring shards (records)", "per_second"]);
    let (status, text) = service.get("/livez");
    assert_eq!((status, text.as_str()), (200, "alive\n"));
    service.stop();
    assert_eq!(committed_alerts(&stage), before, "a restore repeats nothing");
}
