//! Makes `src/advice/model.bin` and `verdicts.txt` from the labelled comments and phrases, byte for
//! byte the same each time.
//!
//! ```text
//! cargo run --example train_advice
//! ```

#[path = "../tests/advice/corpus.rs"]
mod corpus;
#[path = "../tests/advice/train.rs"]
mod train;

const ROWS: &str = "tests/data/feedback/dev.jsonl";
const PHRASES: &str = "tests/data/feedback/phrases";
const MODEL: &str = "src/advice/model.bin";
const VERDICTS: &str = "src/advice/verdicts.txt";

fn main() {
    let (rows, phrases) = (corpus::read_rows(ROWS), corpus::read_phrases(PHRASES));
    let trained = train::train(&rows, &phrases);
    let head = "# Made by `cargo run --example train_advice`: do not edit.\n";
    std::fs::write(MODEL, &trained.weights).expect("the model can be written");
    let verdicts = format!("{head}{}", trained.verdicts);
    std::fs::write(VERDICTS, verdicts).expect("the weights of the rules can be written");
    println!("{MODEL}: from {} comments and {} phrases", rows.len(), phrases.len());
}
