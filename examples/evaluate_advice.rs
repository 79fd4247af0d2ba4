//! Counts verdicts on labelled comments: the confusion tables of `docs/benchmarks.md`.
//!
//! ```text
//! cargo run --example evaluate_advice -- tests/data/feedback/heldout.jsonl
//! cargo run --example evaluate_advice -- tests/data/feedback/dev.jsonl --folds 5 --wrong
//! ```
//!
//! With `--folds`, each comment is judged with a model that was trained on the other folds; with
//! `--after d-1501`, those after it with a model that was trained on those up to it. With
//! `--wrong`, what is not as labelled is listed: never for the held-out part.

#[path = "../tests/advice/corpus.rs"]
mod corpus;
#[path = "../tests/advice/train.rs"]
mod train;

use corpus::{Counts, Row, count, count_folds, precision, recall};
use odrwatch::advice::{Decision, Rule};

const PHRASES: &str = "tests/data/feedback/phrases";

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("the first argument names a file");
    let rest: Vec<String> = arguments.collect();
    let folds = rest.iter().position(|word| word == "--folds").map_or(1, |at| {
        rest.get(at + 1).and_then(|folds| folds.parse().ok()).expect("--folds has a number")
    });
    let mut rows = corpus::read_rows(&path);
    let mut counts = Counts::default();
    let after = rest.iter().position(|word| word == "--after").map(|at| rest[at + 1].clone());
    let phrases = corpus::read_phrases(PHRASES);
    if let Some(after) = after {
        let (first, second): (Vec<Row>, Vec<Row>) =
            rows.iter().cloned().partition(|row| row.id <= after);
        rows = second;
        count(&rows, &train::train(&first, &phrases).model(), &mut counts);
    } else if folds == 1 {
        count(&rows, &corpus::model(), &mut counts);
    } else {
        count_folds(&rows, &phrases, (folds, folds), &mut counts);
    }
    if rest.iter().any(|word| word == "--wrong") {
        counts.wrong.sort();
        for line in &counts.wrong {
            println!("{line}");
        }
    }
    println!(
        "{} comments; reason as labelled: {} of {}",
        rows.len(),
        counts.reasons.0,
        counts.reasons.1
    );
    for rule in Rule::ALL {
        let table = &counts.rules[rule.index()];
        println!(
            "\n{}: precision {}, recall {}",
            rule.as_str(),
            shown(precision(table)),
            shown(recall(table))
        );
        let of_languages = counts.languages.iter().map(|(language, tables)| {
            let table = &tables[rule.index()];
            format!("{language} {} {}", shown(precision(table)), shown(recall(table)))
        });
        println!("{}", of_languages.collect::<Vec<_>>().join(", "));
        println!("| label | not | uncertain | eligible |\n|---|---|---|---|");
        for (label, row) in Decision::ALL.iter().zip(table) {
            println!("| {} | {} | {} | {} |", label.as_str(), row[0], row[1], row[2]);
        }
    }
}

/// Thousandths as a decimal fraction.
fn shown(thousandths: usize) -> String {
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}
