//! What is not there, wrong, hostile, too much, or without its token.

use odrwatch::http::Door;

use crate::answers::assert_fits;
use crate::stage::{Stage, account_path, encode};

const TOKEN: &str = "canary-0123456789abcdef";

#[test]
fn what_is_wrong_is_refused_with_a_hint() {
    let mut stage = Stage::new(3);
    let wrong = [
        "/api/v1/sellers?sort=colour",
        "/api/v1/sellers?order=up",
        "/api/v1/sellers?band=red",
        "/api/v1/sellers?channel=fba",
        "/api/v1/sellers?limit=0",
        "/api/v1/sellers?limit=201",
        "/api/v1/sellers?limit=x",
        "/api/v1/sellers?limit=-1",
        "/api/v1/sellers?cursor=%00",
        "/api/v1/sellers?cursor=bm8",
        "/api/v1/sellers?colour=red",
        "/api/v1/sellers?q=a&q=b",
        "/api/v1/alerts?kind=error",
        "/api/v1/alerts?state=up",
        "/api/v1/alerts?cursor=x",
        "/api/v1/alerts?limit=1000",
        "/api/v1/dead-letters?reason=bad",
        "/api/v1/worklist?limit=0",
        "/api/v1/worklist?language=tlh",
        "/api/v1/worklist?cursor=nowhere",
        "/api/v1/summary?x=1",
        "/api/v1/sellers/%FF/-",
    ];
    for path in wrong {
        let answer = stage.get(path);
        assert_eq!(answer.status, 400, "{path}: {}", answer.body);
        let refusal = answer.json();
        assert_fits("Refusal", &refusal);
        assert_eq!(refusal["error"]["code"], "bad_request", "{path}");
    }
    let one = stage.json("/api/v1/sellers?limit=1");
    let path = format!("{}/report?view=both", account_path(&one["items"][0]));
    assert_eq!(stage.get(&path).status, 400);
    for path in ["/api/v1/sellers/nobody/-", "/api/v1/sellers/nobody/-/report", "/api/v1/nothing"] {
        let answer = stage.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert_fits("Refusal", &answer.json());
    }
    let post = "POST /api/v1/summary HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                content-length: 0\r\n\r\n";
    let answer = stage.ask(post);
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), Some("get,head"));
    assert_fits("Refusal", &answer.json());
    stage.stop();
}

#[test]
fn hostile_ids_come_back_as_they_are_and_find_their_account() {
    let long = "L".repeat(64);
    let ids = [
        "<img src=x onerror=alert(1)>",
        "</script><script>alert(1)</script>",
        "../../etc/passwd",
        "a/b?c=d&e#f%2e%00",
        "' OR 1=1; --",
        " ",
        "-",
        &long,
    ];
    let mut stage = Stage::with_door(1, |door| door);
    stage.fleet.run_turns(50);
    for (number, id) in ids.iter().enumerate() {
        stage.fleet.produce_defective_order(id, &format!("302-0000001-{number:07}"));
    }
    stage.fleet.run_until_quiet();
    let list = stage.json("/api/v1/sellers?sort=seller");
    let found: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["seller_id"].as_str().unwrap())
        .collect();
    let mut wanted = ids.to_vec();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    for id in ids {
        let path = format!("/api/v1/sellers/{}/-", encode(id));
        let answer = stage.get(&path);
        assert_eq!(answer.status, 200, "{id}: {}", answer.body);
        assert_eq!(answer.json()["seller_id"], id);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(!answer.body.contains("canary"), "no word of a buyer");
        assert_eq!(
            stage.json(&format!("{path}/report"))["accountStatuses"][0]["status"],
            "AT_RISK"
        );
        let search = stage.json(&format!("/api/v1/sellers?q={}", encode(id)));
        assert!(search["items"].as_array().unwrap().iter().any(|row| row["seller_id"] == id));
    }
    stage.stop();
}

fn locked() -> Stage {
    Stage::with_door(1, |door| Door { token: Some(TOKEN.to_owned()), ..door })
}

fn with(path: &str, header: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{header}\r\nconnection: close\r\n\r\n")
}

fn sign_in(token: &str) -> String {
    let body = format!("{{\"token\":\"{token}\"}}");
    format!(
        "POST /api/v1/session HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_token_guards_the_api_and_leaves_probes_and_pages_open() {
    let mut stage = locked();
    for (_, path) in odrwatch::http::api::paths() {
        if path == "/api/v1/session" {
            continue;
        }
        let path = path.replace(['{', '}'], "");
        let answer = stage.get(&path);
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.header("www-authenticate"), Some("bearer"));
        assert_fits("Refusal", &answer.json());
    }
    let wrong = with("/api/v1/summary", "authorization: Bearer wrong");
    assert_eq!(stage.ask(&wrong).status, 401);
    for path in ["/livez", "/healthz", "/version", "/metrics", "/", "/assets/app.css"] {
        assert_eq!(stage.get(path).status, 200, "{path}");
    }
    let right = with("/api/v1/summary", &format!("authorization: Bearer {TOKEN}"));
    assert_eq!(stage.ask(&right).status, 200);
    stage.stop();
}

#[test]
fn signing_in_gives_a_cookie_that_scripts_and_other_sites_cannot_use() {
    let mut stage = locked();
    let answer = stage.ask(&sign_in("wrong"));
    assert_eq!((answer.status, answer.header("set-cookie")), (401, None));
    let answer = stage.ask(&sign_in(TOKEN));
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    let cookie = answer.header("set-cookie").unwrap().to_owned();
    for attribute in ["httponly", "samesite=strict", "path=/", "max-age=43200"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("canary"), "{cookie}");
    let (session, _) = cookie.split_once(';').unwrap();
    let answer = stage.ask(&with("/api/v1/summary", &format!("cookie: {session}")));
    assert_eq!(answer.status, 200);
    for body in ["", "{}", "no", "{\"token\":1}", "{\"token\":\"a\",\"b\":1}"] {
        let request = format!(
            "POST /api/v1/session HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(stage.ask(&request).status, 400, "{body}");
    }
    stage.stop();
    let mut open = Stage::with_door(1, |door| door);
    assert_eq!(open.ask(&sign_in(TOKEN)).status, 404);
    open.stop();
}

#[test]
fn other_hosts_are_refused_and_other_sites_get_no_leave_to_read() {
    let mut stage =
        Stage::with_door(1, |door| Door { allowed_hosts: vec!["odr.example".to_owned()], ..door });
    let ask = |path: &str, host: &str| {
        format!(
            "GET {path} HTTP/1.1\r\n{host}connection: close\r\norigin: http://a.example\r\n\r\n"
        )
    };
    for path in ["/", "/api/v1/summary", "/assets/app.css", "/api/v1/session", "/nothing"] {
        for host in ["host: evil.example\r\n", "host: localhost.evil.example\r\n", ""] {
            let answer = stage.ask(&ask(path, host));
            assert_eq!(answer.status, 421, "{path} {host}");
            assert_fits("Refusal", &answer.json());
        }
    }
    for host in ["odr.example", "odr.example:8443", "localhost:1", "127.0.0.1", "[::1]:9464"] {
        let answer = stage.ask(&ask("/api/v1/summary", &format!("host: {host}\r\n")));
        assert_eq!(answer.status, 200, "{host}");
        assert!(!answer.head.contains("access-control"), "{}", answer.head);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    assert_eq!(stage.ask(&ask("/livez", "host: pod.example\r\n")).status, 200);
    stage.stop();
}

#[test]
fn what_is_too_long_is_refused() {
    let mut stage = Stage::with_door(1, |door| door);
    let long = "x".repeat(5_000);
    assert_eq!(stage.get(&format!("/api/v1/sellers?q={long}")).status, 414);
    let header = format!("x-long: {}", "x".repeat(20_000));
    assert_eq!(stage.ask(&with("/api/v1/summary", &header)).status, 431);
    let post = "POST /api/v1/session HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                content-type: application/json\r\ncontent-length: 70000\r\n\r\n";
    assert_eq!(stage.ask(post).status, 413);
    stage.stop();
}

#[test]
fn too_much_at_once_is_told_when_to_come_again() {
    let mut stage = Stage::with_door(1, |door| Door { most_requests: 0, ..door });
    let answer = stage.get("/api/v1/summary");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_fits("Refusal", &answer.json());
    assert_eq!(stage.get("/metrics").status, 200, "probes go on");
    stage.stop();
    let mut stage = Stage::with_door(1, |door| Door { most_streams: 0, ..door });
    let answer = stage.get("/api/v1/events");
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("10")));
    assert_fits("Refusal", &answer.json());
    stage.stop();
}
