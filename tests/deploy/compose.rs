//! The compose file, the image, and the Prometheus beside them.

use std::collections::BTreeMap;

use odrwatch::http::ENDPOINTS;
use serde_json::Value;

use crate::{configured, defaults, is_command, path, text, tree, words};

const COMPOSE: &str = "deploy/compose.yaml";

/// The services that run odrwatch.
fn ours(compose: &Value) -> BTreeMap<&String, &Value> {
    let services = compose["services"].as_object().unwrap();
    services
        .iter()
        .filter(|(_, service)| service["image"].as_str().unwrap().starts_with("odrwatch:"))
        .collect()
}

fn environment(service: &Value) -> Vec<(String, String)> {
    let variables = service["environment"].as_object().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    variables.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

#[test]
fn the_compose_file_fits_the_compose_specification() {
    let schema = tree("tests/data/compose-spec.json");
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let compose = tree(COMPOSE);
    let mistakes: Vec<String> =
        validator.iter_errors(&compose).map(|error| error.to_string()).collect();
    assert!(mistakes.is_empty(), "{mistakes:?}");
    // The validator is one: a key that does not exist is found.
    let mut wrong = compose;
    wrong["services"]["odrwatch"]["imagee"] = "x".into();
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn every_service_of_ours_is_configured_and_commanded_as_the_binary_allows() {
    let compose = tree(COMPOSE);
    let ours = ours(&compose);
    assert_eq!(
        ours.keys().map(|name| name.as_str()).collect::<Vec<_>>(),
        ["demo", "odrwatch", "topics"]
    );
    for (name, service) in ours {
        is_command(&words(&service["command"]));
        let config = configured(None, &environment(service));
        assert_eq!(config.http.listen.port(), defaults().http.listen.port(), "{name}");
        assert_eq!(config.kafka.bootstrap_servers, "kafka:19092", "{name}");
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(words(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(service["user"], "65532:65532", "{name}");
    }
}

#[test]
fn kafka_is_the_one_of_the_tests_and_listens_where_clients_look() {
    let compose = tree(COMPOSE);
    let kafka = &compose["services"]["kafka"];
    let image = kafka["image"].as_str().unwrap();
    let version = image.strip_prefix("apache/kafka:").unwrap();
    assert!(text("scripts/kafka/pom.xml").contains(&format!("<version>{version}</version>")));
    let environment: BTreeMap<_, _> = environment(kafka).into_iter().collect();
    let advertised = &environment["KAFKA_ADVERTISED_LISTENERS"];
    assert!(advertised.contains("INTERNAL://kafka:19092"), "{advertised}");
    let id = &environment["CLUSTER_ID"];
    assert_eq!(id.len(), 22, "Kafka's cluster ids are 16 bytes in base64");
    // Each is a setting of the broker, or read by the image's start script.
    let known = environment.keys().all(|name| name == "CLUSTER_ID" || name.starts_with("KAFKA_"));
    assert!(known, "{environment:?}");
}

#[test]
fn ports_are_published_on_this_machine_only_and_mounted_files_exist() {
    let compose = tree(COMPOSE);
    for (name, service) in compose["services"].as_object().unwrap() {
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name}: {port}");
        }
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            let is_there = match source.strip_prefix("./") {
                Some(file) => path("deploy").join(file).exists(),
                None => compose["volumes"].get(source).is_some(),
            };
            assert!(is_there, "{name}: {source}");
        }
        for awaited in service["depends_on"].as_object().into_iter().flatten() {
            assert!(compose["services"].get(awaited.0).is_some(), "{name}: {}", awaited.0);
        }
    }
}

#[test]
fn prometheus_scrapes_the_port_and_the_path_of_the_code_under_the_jobs_name() {
    let port = defaults().http.listen.port();
    let compose = tree(COMPOSE);
    let config = tree("deploy/compose/prometheus.yaml");
    let jobs = config["scrape_configs"].as_array().unwrap();
    for job in jobs {
        let target = job["static_configs"][0]["targets"][0].as_str().unwrap();
        let (host, at) = target.rsplit_once(':').unwrap();
        assert!(compose["services"].get(host).is_some(), "{target}");
        assert_eq!(at, port.to_string());
    }
    let lone = tree("deploy/prometheus/scrape.yaml");
    assert_eq!(lone[0]["static_configs"][0]["targets"][0], defaults().http.listen.to_string());
    for job in [&jobs[0], &lone[0]] {
        assert_eq!(job["job_name"], "odrwatch", "the rules ask for this job");
        // Prometheus's own default path is ours.
        assert!(job.get("metrics_path").is_none());
    }
    assert!(ENDPOINTS.iter().any(|(path, _)| *path == "/metrics"));
}

#[test]
fn the_image_is_built_as_the_code_is_and_listens_where_it_says() {
    let dockerfile = text("deploy/Dockerfile");
    let toolchain = text("rust-toolchain.toml");
    let version = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap();
    let minor = version.trim_matches('"').rsplitn(2, '.').last().unwrap();
    assert!(dockerfile.contains(&format!("FROM rust:{minor}-")), "rust {minor}");
    assert!(text("Cargo.toml").contains("\ntls-vendored = ["));
    assert!(dockerfile.contains("--no-default-features --features tls-vendored"));
    let port = defaults().http.listen.port();
    let listen = format!("ENV ODRWATCH__HTTP__LISTEN=0.0.0.0:{port}\nEXPOSE {port}\n");
    assert!(dockerfile.contains(&listen), "{listen}");
    assert!(dockerfile.contains("\nUSER 65532:65532\n"));
    let copied = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY "));
    let sources = copied.filter(|line| !line.starts_with("--from")).flat_map(|line| {
        let names: Vec<&str> = line.split_whitespace().collect();
        names[..names.len() - 1].to_vec()
    });
    let allowed = text("deploy/Dockerfile.dockerignore");
    for source in sources {
        assert!(path(source).exists(), "{source}");
        assert!(allowed.lines().any(|line| line == format!("!{source}")), "{source} is ignored");
    }
    let version = env!("CARGO_PKG_VERSION");
    assert!(text(COMPOSE).contains(&format!("image: odrwatch:{version}\n")));
}
