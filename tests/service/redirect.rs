//! Two processes beside a real broker: each finds the accounts of the other, and says what it has.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use odrwatch::sim::murmur2::partition_of;
use serde_json::Value;

use super::child::Odrwatch;
use super::feed::{Written, feedback, order};
use super::members::await_members;
use super::now_ms;
use super::probe::Probe;
use super::stage::Stage;
use crate::support::{Deadline, STEP_LIMIT};

const PARTITIONS: u32 = 4;

struct Answer {
    status: u16,
    location: Option<String>,
    body: Value,
}

fn ask(address: SocketAddr, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(STEP_LIMIT)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let location = head.lines().find_map(|line| line.strip_prefix("location: "));
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        location: location.map(str::to_owned),
        body: serde_json::from_str(body).unwrap(),
    }
}

fn elsewhere(address: SocketAddr) -> Vec<(u64, Option<String>)> {
    let answer = ask(address, "/api/v1/shards");
    let items = answer.body["meta"]["shards"]["elsewhere"].as_array().unwrap().clone();
    let of =
        |item: &Value| (item["shard"].as_u64().unwrap(), item["owner"].as_str().map(str::to_owned));
    items.iter().map(of).collect()
}

#[test]
fn an_account_is_found_from_either_of_two_processes_by_one_redirect_at_most() {
    let stage = Stage::new("redirect", PARTITIONS);
    let mut first = Odrwatch::start(&stage, "a", &[]);
    let mut second = Odrwatch::start(&stage, "b", &[]);
    await_members(&mut [&mut first, &mut second], u64::from(PARTITIONS));
    let addresses = [first.address(), second.address()];

    let mut written = Written::default();
    let (now, sellers) = (now_ms(), (0..12).map(|number| format!("Seller-{number}")));
    let sellers: Vec<String> = sellers.collect();
    let partitions: std::collections::BTreeSet<u32> =
        sellers.iter().map(|seller| partition_of(seller.as_bytes(), PARTITIONS)).collect();
    assert_eq!(partitions.len(), 4, "the sellers are in all partitions");
    for (number, seller) in sellers.iter().enumerate() {
        let name = format!("302-0000005-{number:07}");
        written.produce(&stage, &[order(&stage, seller, &name, now)]);
        written.produce(&stage, &[feedback(&stage, seller, &name, now)]);
    }
    Probe::new(&stage).await_done(&written, &mut [&mut first, &mut second]);

    // Each learns from the progress records where the other is.
    let deadline = Deadline::of_step();
    for (own, other) in [(0, 1), (1, 0)] {
        let wanted = Some(addresses[other].to_string());
        loop {
            let found = elsewhere(addresses[own]);
            if !found.is_empty() && found.iter().all(|(_, owner)| *owner == wanted) {
                break;
            }
            deadline.wait(|| format!("the shards elsewhere: {found:?}\n{}", first.log()));
        }
    }

    let mut sent_on = 0;
    for seller in &sellers {
        let path = format!("/api/v1/sellers/{seller}/-");
        let answers = addresses.map(|address| ask(address, &path));
        let (here, there) = match (answers[0].status, answers[1].status) {
            (200, 307) => (0, 1),
            (307, 200) => (1, 0),
            other => panic!("{seller}: {other:?} {}", answers[0].body),
        };
        sent_on += usize::from(here == 1);
        let to = format!("//{}{path}?redirect=done", addresses[here]);
        assert_eq!(answers[there].location.as_deref(), Some(to.as_str()));
        let followed = ask(addresses[here], &format!("{path}?redirect=done"));
        assert_eq!(
            (followed.status, &followed.body["seller_id"]),
            (200, &Value::from(seller.as_str()))
        );
        assert!(followed.body["meta"]["age_ms"].as_i64().is_some());
        // It came by a redirect, and goes no further.
        let back = ask(addresses[there], &format!("{path}?redirect=done"));
        assert_eq!((back.status, back.location), (503, None));
        assert!(back.body["error"]["message"].as_str().unwrap().contains("is moving"));
    }
    assert!((1..sellers.len()).contains(&sent_on), "{sent_on} of {} are at b", sellers.len());
    first.stop();
    second.stop();
}
