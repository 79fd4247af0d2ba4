//! `care`: what to do, from a replay's results and from a service.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::command::{Ran, done, run, text};
use crate::market::{START_MS, base64, lines};
use crate::oracle::Record;

const QUOTED: &str = "The battery dies after an hour";

/// A seller with two hundred orders of his own and two hundred of Amazon's; three of his are
/// defective: a product review, a complaint about service, and a claim.
fn results() -> tempfile::TempDir {
    let mut records = Vec::new();
    let mut add = |topic: usize, offset: i64, value: &Value| {
        let value = Some(value.to_string().into_bytes());
        let timestamp_ms = Some(START_MS + offset * 1_000);
        records.push(Record { topic, partition: 0, offset, timestamp_ms, value });
    };
    for number in 0..400 {
        let order = json!({
            "seller_id": "S1",
            "marketplace_id": "A1PA6795UKMFR9",
            "order_id": format!("302-0000000-{number:07}"),
            "purchase_date": "2026-01-05T00:00:00Z",
            "fulfillment_channel": if number < 200 { "MFN" } else { "AFN" },
            "order_status": "Shipped",
        });
        add(0, number, &order);
    }
    for (offset, comment) in [(0, format!("{QUOTED}.")), (1, "Rude seller, no answer.".to_owned())]
    {
        let order = format!("302-0000000-000000{offset}");
        let feedback = json!({"seller_id": "S1", "order_id": order, "rating": 1,
                              "status": "posted", "comment": comment});
        add(1, 500 + offset, &feedback);
    }
    let claim = json!({"seller_id": "S1", "order_id": "302-0000000-0000002", "claim_id": "C-1",
                       "status": "filed"});
    add(2, 600, &claim);
    let directory = tempfile::tempdir().unwrap();
    let (file, out) = (directory.path().join("all.jsonl"), directory.path().join("result"));
    fs::write(&file, lines(&records, base64)).unwrap();
    done(&["replay", text(&file), "--out", text(&out), "--set", "engine.partitioner=off"]);
    directory
}

fn care(directory: &tempfile::TempDir, more: &[&str]) -> Ran {
    let out = directory.path().join("result");
    done(&[&["care", "--from", text(&out)], more].concat())
}

#[test]
fn a_replays_results_become_a_worklist_with_drafts() {
    let results = results();
    let ran = care(&results, &["--format", "json"]);
    let work: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(work["total"], 3, "{work}");
    let items = work["items"].as_array().unwrap();
    let told: Vec<_> = items
        .iter()
        .map(|item| (item["action"].as_str().unwrap(), item["order_id"].as_str().unwrap()))
        .collect();
    // 3 of 400 is below the target: what is due first comes first.
    assert_eq!(
        told,
        [
            ("answer_claim", "302-0000000-0000002"),
            ("repair_order", "302-0000000-0000001"),
            ("request_removal", "302-0000000-0000000"),
        ]
    );
    assert_eq!(items[2]["gain"]["now"], json!({"orders": 400, "defective_orders": 3}));
    assert_eq!(items[2]["gain"]["after"], json!({"orders": 400, "defective_orders": 2}));
    assert_eq!(items[2]["comment"]["rule"], "product_review");
    assert_eq!(items[2]["drafts"][0]["language"], "de");
    // 3 of 200 are above it: the share of Amazon hides that.
    assert_eq!(work["shares"][0]["hides_target"], true);
    assert!(!ran.out.contains("battery"), "{}", ran.out);
}

#[test]
fn what_buyers_wrote_is_shown_only_where_it_is_permitted() {
    let results = results();
    let set = ["--set", "care.show_comments=true", "--drafts", "--language", "en"];
    let ran = care(&results, &set);
    assert!(ran.out.contains("What it says about the product: “"), "{}", ran.out);
    assert!(ran.out.contains("battery"), "{}", ran.out);
    let ran = care(&results, &set[2..]);
    assert!(ran.out.contains("The entire comment is a review of the product."), "{}", ran.out);
    assert!(!ran.out.contains("battery") && !ran.out.contains("What it says"), "{}", ran.out);
}

#[test]
fn the_table_says_what_to_do_until_when_and_what_it_saves() {
    let results = results();
    let ran = care(&results, &[]);
    let row = ran.out.lines().find(|line| line.contains("ask for removal")).unwrap();
    for part in [
        "302-0000000-0000000",
        "S1 @ A1PA6795UKMFR9",
        "1 star, quality, product review: eligible",
        "moot 2026-03-21",
        "0.75 %",
        "0.50 %",
    ] {
        assert!(row.contains(part), "{part}: {row}");
    }
    assert!(
        ran.out.contains("3/200 = 1.50 % of the orders that the seller fulfils"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("only the headline meets the target"), "{}", ran.out);
    let none = care(&results, &["--seller", "S2"]);
    assert!(none.out.starts_with("Nothing to do"), "{}", none.out);
    let one = care(&results, &["--limit", "1"]);
    assert!(one.out.contains("1 of 3 shown"), "{}", one.out);
}

#[test]
fn results_that_are_none_are_told_with_their_place() {
    let directory = tempfile::tempdir().unwrap();
    let ran = run(&["care", "--from", text(directory.path())]);
    assert_eq!(ran.code, 69);
    assert!(ran.err.contains("--out") && ran.err.contains("totals.jsonl"), "{}", ran.err);
    fs::write(directory.path().join("totals.jsonl"), "").unwrap();
    fs::write(directory.path().join("advice.jsonl"), "{\"key\":\"k\",\"value\":null}\nno\n")
        .unwrap();
    let ran = run(&["care", "--from", text(directory.path())]);
    assert_eq!(ran.code, 64);
    assert!(ran.err.contains("advice.jsonl:2: "), "{}", ran.err);
}

/// Answers so many requests with these bodies, and gives back the requests.
#[expect(clippy::disallowed_methods, reason = "a service beside the program")]
fn serve(answers: Vec<(u16, Value)>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let served = std::thread::spawn(move || {
        let answer = |(status, body): (u16, Value)| {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            let body = body.to_string();
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(body.as_bytes()).unwrap();
            String::from_utf8(request).unwrap()
        };
        answers.into_iter().map(answer).collect()
    });
    (address, served)
}

fn page(cursor: Option<&str>) -> Value {
    json!({"meta": {}, "judged": true, "items": [], "total": 0, "left_alone": 2, "shares": [],
           "accounts": {"looked_at": 1, "with_defects": 1}, "next_cursor": cursor})
}

#[test]
fn a_service_is_asked_page_by_page_with_its_token() {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    fs::write(&token, "canary-0123456789\n").unwrap();
    let (address, served) = serve(vec![(200, page(Some("next page"))), (200, page(None))]);
    let ran = done(&[
        "care",
        "--url",
        &address,
        "--token-file",
        text(&token),
        "--seller",
        "S 1",
        "--limit",
        "7",
    ]);
    assert!(ran.out.contains("2 more defects count"), "{}", ran.out);
    let requests = served.join().unwrap();
    let first = "GET /api/v1/worklist?limit=7&seller=S%201 HTTP/1.1\r\n";
    assert!(requests[0].starts_with(first), "{requests:?}");
    assert!(requests[1].contains("&cursor=next%20page "), "{requests:?}");
    for request in &requests {
        let request = request.to_ascii_lowercase();
        assert!(request.contains("authorization: bearer canary-0123456789\r\n"), "{request}");
        assert!(request.contains(&format!("host: {address}\r\n")), "{request}");
    }
}

#[test]
fn what_a_service_refuses_ends_with_a_code_of_its_own() {
    for (status, code) in [(401, 77), (503, 75), (400, 64), (404, 69)] {
        let refusal = json!({"error": {"code": "x", "message": "No.", "hint": "Do this."}});
        let (address, served) = serve(vec![(status, refusal)]);
        let ran = run(&["care", "--url", &address]);
        assert_eq!(ran.code, code, "{}", ran.err);
        assert!(ran.err.contains("refuses: No. Do this."), "{}", ran.err);
        served.join().unwrap();
    }
    let (address, served) = serve(vec![(200, json!({"items": 5}))]);
    let ran = run(&["care", "--url", &address]);
    assert_eq!(ran.code, 69);
    assert!(ran.err.contains("is no worklist"), "{}", ran.err);
    served.join().unwrap();
    let ran = run(&["care", "--url", "http://127.0.0.1:1"]);
    assert_eq!(ran.code, 69);
    assert!(ran.err.contains("--from"), "{}", ran.err);
    assert_eq!(run(&["care", "--url", "https://127.0.0.1:1"]).code, 64);
}
