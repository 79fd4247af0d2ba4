//! Counts verdicts on labelled comments: the confusion tables of `docs/benchmarks.md`.
//!
//! ```text
//! cargo run --example evaluate_advice -- tests/data/feedback/heldout.jsonl
//! cargo run --example evaluate_advice -- tests/data/feedback/dev.jsonl --folds 5 --wrong
//! ```
//!
//! With `--folds`, each comment is judged with a model that was trained on the other folds. With
//! `--wrong`, what is not as labelled is listed: never for the held-out part.

#[path = "../tests/advice/corpus.rs"]
mod corpus;

use corpus::{Counts, count, count_folds, precision, recall};
use odrwatch::advice::model::Model;
use odrwatch::advice::{Decision, Rule};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("the first argument names a file");
    let rest: Vec<String> = arguments.collect();
    let folds = rest.iter().position(|word| word == "--folds").map_or(1, |at| {
        rest.get(at + 1).and_then(|folds| folds.parse().ok()).expect("--folds has a number")
    });
    let rows = corpus::read_rows(&path);
    let mut counts = Counts::default();
    if folds == 1 {
        let model = include_str!("../src/advice/model.txt");
        count(&rows, &Model::read(model).expect("the trained model is right"), &mut counts);
    } else {
        count_folds(&rows, folds, &mut counts);
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
