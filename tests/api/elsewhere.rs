//! Accounts that another member of the group has: where a request is sent, and that only once.

use std::sync::Arc;

use odrwatch::domain::ids::ShardNo;
use odrwatch::http::api::Readers;
use odrwatch::pipeline::query::{Directory, Owner};
use odrwatch::wire::partition::{Partitioner, partition_of};

use crate::answers::assert_fits;
use crate::stage::Stage;

/// Shards of the group; this process has 0 and 1.
const SHARDS: u32 = 8;

const OTHER: &str = "odr-1.example:9464";

fn stage(change: impl FnOnce(Readers) -> Readers) -> (Stage, Arc<Directory>) {
    let directory = Directory::new();
    let shown = Arc::clone(&directory);
    let mut stage = Stage::with(
        1,
        |door| door,
        |readers| change(Readers { shards: 8, directory: shown, ..readers }),
    );
    stage.fleet.feed_all();
    stage.fleet.run_until_quiet();
    (stage, directory)
}

/// A seller of a shard.
fn seller_of(shard: u32) -> String {
    let names = (0..).map(|number| format!("Elsewhere-{number}"));
    let is_there = |name: &String| partition_of(Partitioner::Murmur2, name, SHARDS) == shard;
    names.into_iter().find(is_there).unwrap()
}

fn note(directory: &Directory, shard: u32, address: Option<&str>) {
    let address = address.map(str::to_owned);
    directory.note(ShardNo::new(shard), Owner { address, boundary_ms: Some(1_772_368_495_000) });
}

#[test]
fn an_account_of_another_member_is_sent_there_once() {
    let (mut stage, directory) = stage(|readers| readers);
    let seller = seller_of(5);
    note(&directory, 5, Some(OTHER));
    for path in
        [format!("/api/v1/sellers/{seller}/-"), format!("/api/v1/sellers/{seller}/-/report")]
    {
        let answer = stage.get(&path);
        assert_eq!(answer.status, 307, "{}", answer.body);
        // Heads are in lower case here.
        let to = format!("//{OTHER}{path}?redirect=done");
        assert_eq!(answer.header("location"), Some(to.to_lowercase().as_str()));
        let told = answer.json();
        assert_fits("Refusal", &told);
        assert_eq!(told["error"]["location"], to);

        let answer = stage.get(&format!("{path}?redirect=none"));
        assert_eq!(answer.status, 421, "{}", answer.body);
        assert_eq!(answer.header("location"), None);
        assert_eq!(answer.json()["error"]["location"], to);

        let answer = stage.get(&format!("{path}?redirect=done"));
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(answer.body.contains("shard 5 of this seller is not here"), "{}", answer.body);
        assert_eq!(stage.get(&format!("{path}?redirect=maybe")).status, 400);
    }
    stage.stop();
}

#[test]
fn where_nobody_told_an_address_or_it_is_our_own_the_reason_is_said() {
    let (mut stage, directory) = stage(|readers| readers);
    let path = format!("/api/v1/sellers/{}/-", seller_of(6));
    for address in [None, Some("127.0.0.1:1")] {
        note(&directory, 6, address);
        let answer = stage.get(&path);
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(answer.body.contains("http.advertise"), "{}", answer.body);
    }
    stage.stop();
}

#[test]
fn a_seller_of_our_own_shards_and_one_whose_shard_is_not_known_are_not_found() {
    let (mut stage, directory) = stage(|readers| readers);
    note(&directory, 1, Some(OTHER));
    assert_eq!(stage.get(&format!("/api/v1/sellers/{}/-", seller_of(1))).status, 404);
    stage.stop();
    let (mut stage, directory) =
        self::stage(|readers| Readers { partitioner: Partitioner::Off, ..readers });
    note(&directory, 5, Some(OTHER));
    assert_eq!(stage.get(&format!("/api/v1/sellers/{}/-", seller_of(5))).status, 404);
    stage.stop();
}

#[test]
fn every_answer_says_which_shards_are_elsewhere_and_since_when_that_is_known() {
    let (mut stage, directory) = stage(|readers| readers);
    note(&directory, 5, Some(OTHER));
    let list = stage.json("/api/v1/sellers");
    assert_fits("Sellers", &list);
    let elsewhere = list["meta"]["shards"]["elsewhere"].as_array().unwrap();
    let shards: Vec<u64> = elsewhere.iter().map(|item| item["shard"].as_u64().unwrap()).collect();
    assert_eq!(shards, [2, 3, 4, 5, 6, 7]);
    assert_eq!(elsewhere[3]["owner"], OTHER);
    assert_eq!(elsewhere[3]["boundary"], "2026-03-01T12:34:55.000Z");
    assert!(elsewhere[3]["age_ms"].as_i64().is_some());
    assert!(elsewhere[0]["owner"].is_null() && elsewhere[0]["age_ms"].is_null());
    stage.stop();
}
