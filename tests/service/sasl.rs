//! A password is asked for: SCRAM and PLAIN over TLS, as managed clusters want it.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::check::Check;
use super::child::Odrwatch;
use super::feed::{Written, feedback, order};
use super::now_ms;
use super::probe::Probe;
use super::stage::Stage;
use crate::support::broker::PLAIN_USER;

const SCRAM_USER: (&str, &str) = ("scram-user", "scram-password-9c27");

const WRONG: &str = "wrong-password-81e4";

/// Starts the service with a mechanism, a user and a file that holds the password.
fn start(stage: &Stage, mechanism: &str, user: &str, password: &Path) -> Odrwatch {
    let tls = &stage.broker.tls;
    let bootstrap = format!("kafka.bootstrap_servers={}", tls.sasl_bootstrap());
    let file = format!(
        "kafka:\n  properties:\n    security.protocol: sasl_ssl\n    ssl.ca.location: {}\n    \
         sasl.mechanism: {mechanism}\n    sasl.username: {user}\n  properties_file:\n    \
         sasl.password: {}\n",
        tls.ca.display(),
        password.display()
    );
    // What is told at most must hold no password either.
    let all = ["log.level=trace", "kafka.properties.debug=security,broker,protocol"];
    Odrwatch::start_with(stage, "a", &[&bootstrap, all[0], all[1]], Some(&file))
}

fn says_no_password(log: &str) {
    for (_, password) in [SCRAM_USER, PLAIN_USER, ("", WRONG)] {
        assert!(!log.contains(password), "{log}");
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the words of a refusal")]
fn a_password_of_a_file_opens_the_cluster_and_a_wrong_one_ends_with_77() {
    let stage = Stage::new("sasl", 2);
    let (user, password) = SCRAM_USER;
    stage.broker.process().add_scram_user(user, password);
    let dir = TempDir::new().unwrap();
    let with = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, format!("{text}\n")).unwrap();
        path
    };
    let wrong = with("wrong", WRONG);
    let mechanisms = [("SCRAM-SHA-512", SCRAM_USER), ("PLAIN", PLAIN_USER)];

    for (mechanism, (user, _)) in mechanisms {
        let mut refused = start(&stage, mechanism, user, &wrong);
        assert_eq!(refused.wait(), Some(77), "{}", refused.log());
        let log = refused.log();
        let said = log.lines().last().unwrap_or_default();
        println!("{mechanism}: {said}");
        let is_clear = said.starts_with("odrwatch: ") && said.contains("refused by the broker");
        assert!(is_clear && said.to_lowercase().contains("authentication"), "{log}");
        says_no_password(&log);
    }

    let mut written = Written::default();
    let probe = Probe::new(&stage);
    for (number, (mechanism, (user, password))) in mechanisms.into_iter().enumerate() {
        let (seller, id, now) = (format!("S{number}"), format!("302-{number}"), now_ms());
        let records = [order(&stage, &seller, &id, now), feedback(&stage, &seller, &id, now)];
        written.produce(&stage, &records);
        let mut service = start(&stage, mechanism, user, &with(mechanism, password));
        probe.await_done(&written, &mut [&mut service]);
        service.stop();
        says_no_password(&service.log());
    }
    assert_eq!(Check::new(&stage).alerts(), 2);
}
