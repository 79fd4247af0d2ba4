//! Makes `src/advice/model.txt` from the labelled comments, byte for byte the same each time.
//!
//! ```text
//! cargo run --example train_advice
//! ```

#[path = "../tests/advice/corpus.rs"]
mod corpus;

const ROWS: &str = "tests/data/feedback/dev.jsonl";
const MODEL: &str = "src/advice/model.txt";

fn main() {
    let rows = corpus::read_rows(ROWS);
    let head = format!("# Made by `cargo run --example train_advice` from {ROWS}: do not edit.\n");
    std::fs::write(MODEL, head + &corpus::train(&rows)).expect("the model can be written");
    println!("{MODEL}: from {} comments", rows.len());
}
