//! Command lines that are read, and those that are wrong.

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_definition_is_consistent() {
    Cli::definition().debug_assert();
}

#[test]
fn the_help_lists_every_exit_code_with_its_meaning() {
    for code in ExitCode::ALL {
        let line = format!("  {:>2}  {}\n", code.code(), code.meaning());
        assert!(AFTER_HELP.contains(&line), "{line}");
    }
}

#[test]
fn commands_and_their_arguments_are_read() {
    let cli = parse(
        "odrwatch replay a.jsonl - --until 2026-01-31T00:00:00Z --partitions 8 \
         --policy p.json --set a=b --set c=d --format json --out d -vv",
    )
    .unwrap();
    assert_eq!(cli.global.verbose, 2);
    let Command::Replay(replay) = cli.command else {
        panic!("not a replay");
    };
    assert_eq!(replay.files.len(), 2);
    assert_eq!(replay.until.unwrap().ms(), 1_769_817_600_000);
    assert_eq!(replay.config.sets, ["a=b", "c=d"]);
    assert_eq!(replay.format, OutputFormat::Json);
    for line in [
        "odrwatch run -c x.yaml --log-format json",
        "odrwatch --color never demo --kafka b:9092 --for 5 --http 127.0.0.1:0",
        "odrwatch validate -c x.yaml --no-environment",
        "odrwatch topics create --partitions 3 --replication-factor 1 --dry-run",
        "odrwatch topics check -c x.yaml -q",
        "odrwatch schema events",
        "odrwatch completions zsh",
        "odrwatch man",
        "odrwatch advise --report f.tsv --channel mfn --buy-shipping true --profile p.yaml",
        "odrwatch care --seller S --marketplace - --format json --limit 5 --drafts",
        "odrwatch care --url http://x:1 --token-file t --language ja",
        "odrwatch care --from result -c x.yaml",
        "odrwatch replay --from-kafka -c x.yaml",
        "odrwatch replay a --until 1769817600000",
    ] {
        assert!(parse(line).is_ok(), "{line}");
    }
}

#[test]
fn what_is_set_is_not_shown() {
    let shown = format!("{:?}", parse("odrwatch run --set a=canary --set canary").unwrap());
    assert!(shown.contains("[\"a\", \"\"]") && !shown.contains("canary"), "{shown}");
}

#[test]
fn wrong_command_lines_are_64_and_help_is_0() {
    for line in [
        "odrwatch",
        "odrwatch fly",
        "odrwatch replay",
        "odrwatch replay a --from-kafka",
        "odrwatch care --from result --url http://x:1",
        "odrwatch care --limit 0",
        "odrwatch replay a --until yesterday",
        "odrwatch replay a --until 253402300800000",
        "odrwatch replay a --partitions 0",
        "odrwatch schema",
        "odrwatch topics create --partitions none",
        "odrwatch topics",
    ] {
        let code = usage_code(&parse(line).unwrap_err());
        assert_eq!(code, ExitCode::Usage, "{line}");
    }
    for line in ["odrwatch --help", "odrwatch -V", "odrwatch run --help"] {
        assert_eq!(usage_code(&parse(line).unwrap_err()), ExitCode::Ok, "{line}");
    }
}
