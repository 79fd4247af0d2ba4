//! The Helm chart, as far as it can be read without Helm: its values, its schema, and what its
//! templates fix.

use odrwatch::http::ENDPOINTS;
use serde_json::Value;

use crate::{configured, defaults, names_in, text, tree};

const CHART: &str = "deploy/helm/odrwatch";

fn values() -> Value {
    tree(&format!("{CHART}/values.yaml"))
}

fn template(name: &str) -> String {
    text(&format!("{CHART}/templates/{name}"))
}

#[test]
fn values_fit_their_schema_and_every_value_is_in_it() {
    let schema = tree(&format!("{CHART}/values.schema.json"));
    assert!(jsonschema::meta::is_valid(&schema));
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let values = values();
    let mistakes: Vec<String> =
        validator.iter_errors(&values).map(|error| error.to_string()).collect();
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let mut known: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    // Helm itself passes `global` on to charts.
    known.retain(|name| *name != "global");
    let mut stated: Vec<_> = values.as_object().unwrap().keys().collect();
    known.sort();
    stated.sort();
    assert_eq!(stated, known);
}

#[test]
fn every_value_is_used_by_a_template() {
    let templates: String =
        names_in(&format!("{CHART}/templates"), "").iter().map(|name| template(name)).collect();
    for name in values().as_object().unwrap().keys() {
        assert!(templates.contains(&format!(".Values.{name}")), "nothing uses {name}");
    }
}

#[test]
fn the_charts_configuration_is_one_of_odrwatch() {
    let everything = tree(&format!("{CHART}/ci/everything.yaml"));
    for values in [&values(), &everything] {
        // JSON is YAML.
        let file = values["config"].to_string();
        let variables: Vec<(String, String)> = values["extraEnv"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| [&entry["name"], &entry["value"]].map(|v| v.as_str().unwrap().to_owned()))
            .map(|[name, value]| (name, value))
            .collect();
        configured(Some(&file), &variables);
    }
    // The secrets' properties are those that kafka.properties_file takes.
    let secrets = everything["kafkaSecrets"].as_object().unwrap();
    for property in secrets.keys() {
        let file = format!("kafka:\n  properties_file:\n    {property}: /etc/odrwatch/secrets/x\n");
        configured(Some(&file), &[]);
    }
    assert!(template("_helpers.tpl").contains("\"/etc/odrwatch/secrets/%s\" $property"));
}

#[test]
fn probes_ports_and_variables_are_those_of_the_code() {
    let stateful = template("statefulset.yaml");
    let paths: Vec<&str> = stateful
        .lines()
        .filter_map(|line| line.trim().strip_prefix("httpGet: {path: "))
        .map(|rest| rest.split(',').next().unwrap())
        .collect();
    assert_eq!(paths, ["/livez", "/livez", "/readyz"]);
    let monitor = template("servicemonitor.yaml");
    let scraped = monitor.lines().find_map(|line| line.trim().strip_prefix("path: ")).unwrap();
    for asked in paths.into_iter().chain([scraped]) {
        assert!(ENDPOINTS.iter().any(|(path, _)| *path == asked), "{asked}");
    }
    let port = defaults().http.listen.port();
    assert_eq!(values()["httpPort"], port);
    let instance = ("ODRWATCH__KAFKA__INSTANCE", "odrwatch-0".to_owned());
    let listen = ("ODRWATCH__HTTP__LISTEN", format!("0.0.0.0:{port}"));
    let advertise =
        ("ODRWATCH__HTTP__ADVERTISE", format!("odrwatch-0.odrwatch.default.svc:{port}"));
    // Who reaches the pod needs the token, or the chart says that none is wanted.
    for guard in [
        ("ODRWATCH__HTTP__TOKEN_FILE", "/etc/odrwatch/http/token".to_owned()),
        ("ODRWATCH__HTTP__INSECURE", "true".to_owned()),
    ] {
        let variables = [&instance, &listen, &advertise, &guard];
        for (variable, _) in variables {
            assert!(stateful.contains(&format!("- name: {variable}\n")), "{variable}");
        }
        let owned = variables.map(|(name, value)| ((*name).to_owned(), value.clone()));
        configured(None, &owned);
    }
    crate::is_command(&["run", "--config", "/etc/odrwatch/odrwatch.yaml"].map(str::to_owned));
    assert!(stateful.contains("args: [run, --config, /etc/odrwatch/odrwatch.yaml]\n"));
    // The rules ask for this job, whatever the release is called.
    assert!(monitor.contains("- targetLabel: job\n          replacement: odrwatch\n"));
}

#[test]
fn the_pod_writes_nothing_and_is_nobody() {
    let values = values();
    let pod = &values["podSecurityContext"];
    assert_eq!((&pod["runAsNonRoot"], &pod["runAsUser"]), (&true.into(), &65_532.into()));
    assert_eq!(pod["seccompProfile"]["type"], "RuntimeDefault");
    let container = &values["securityContext"];
    assert_eq!(container["readOnlyRootFilesystem"], true);
    assert_eq!(container["allowPrivilegeEscalation"], false);
    assert_eq!(container["capabilities"]["drop"][0], "ALL");
    assert!(template("statefulset.yaml").contains("automountServiceAccountToken: false"));
    // Secrets come by reference only: no template has a Secret of its own.
    for name in names_in(&format!("{CHART}/templates"), ".yaml") {
        assert!(!template(&name).contains("kind: Secret"), "{name}");
    }
}

#[test]
fn the_chart_has_the_version_of_the_code() {
    let chart = tree(&format!("{CHART}/Chart.yaml"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}
