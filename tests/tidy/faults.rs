//! The fault table of docs/operations.md: each row names the tests that show it, and they exist.
//!
//! The rows are in `faults.txt`; the table in the document is made from them. A test's name is a
//! sentence, so the table says what happens in the words of the tests.

use super::scan::{File, Finding};

/// The rows.
const ROWS: &str = include_str!("faults.txt");
/// Where the rows are.
const ROWS_PATH: &str = "tests/tidy/faults.txt";
/// Where the table is.
pub const DOCUMENT: &str = "docs/operations.md";
/// The lines around it.
const AROUND: [&str; 2] =
    ["<!-- The fault table is made from tests/tidy/faults.txt. -->", "<!-- End of the table. -->"];
/// How many faults there are.
const FAULTS: usize = 60;
/// Where the simulation lists what it must have exercised.
const KINDS: &str = "tests/simulation/summary.rs";
/// How a row says that nothing shows it.
const NOT_COVERED: &str = "not covered, because ";

/// A row: its line, number, fault, and what shows it.
struct Row<'a> {
    line: usize,
    number: &'a str,
    fault: &'a str,
    shown: Vec<&'a str>,
}

fn rows(text: &str) -> Vec<Row<'_>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
    lines
        .filter_map(|(at, line)| {
            let mut cells = line.splitn(3, " | ");
            let (number, fault, shown) = (cells.next()?, cells.next()?, cells.next()?);
            Some(Row { line: at + 1, number, fault, shown: shown.split("; ").collect() })
        })
        .collect()
}

/// The table as the document has it.
fn table(text: &str) -> String {
    let mut table = String::from("| # | fault | what shows it |\n|---|---|---|\n");
    for Row { number, fault, shown, .. } in rows(text) {
        let shown: Vec<String> = shown.into_iter().map(told).collect();
        table.push_str(&format!("| {number} | {fault} | {} |\n", shown.join("<br>")));
    }
    table
}

fn told(item: &str) -> String {
    if let Some(kind) = item.strip_prefix("sim: ") {
        return format!("simulated: {kind}");
    }
    match item.split_once("::") {
        Some((path, name)) => {
            format!("[{}](../{path})", name.replace('_', " "))
        }
        None => format!("**{item}**"),
    }
}

/// The document with the table made anew; none where it has no place for it.
pub fn renewed(document: &str) -> Option<String> {
    let (before, rest) = document.split_once(AROUND[0])?;
    let (_, after) = rest.split_once(AROUND[1])?;
    Some(format!("{before}{}\n\n{}\n{}{after}", AROUND[0], table(ROWS), AROUND[1]))
}

/// Every row has its number and is shown by tests that exist, or says why not; the document has
/// the table.
pub fn faults(files: &[File]) -> Vec<Finding> {
    let mut found = checked(ROWS, files);
    if let Some(document) = files.iter().find(|file| file.path == DOCUMENT)
        && renewed(&document.text).as_deref() != Some(document.text.as_str())
    {
        let message = "the fault table is not that of tests/tidy/faults.txt: run \
                       `UPDATE_GOLDEN=1 cargo test --test tidy`";
        found.push(document.finding(1, message));
    }
    found
}

fn checked(text: &str, files: &[File]) -> Vec<Finding> {
    let finding = |line, message: String| Finding { path: ROWS_PATH.to_owned(), line, message };
    let all = rows(text);
    let mut found = Vec::new();
    let numbers = all.iter().map(|row| row.number.parse::<usize>());
    if !numbers.eq((1..=FAULTS).map(Ok)) {
        found.push(finding(1, format!("the rows are not 1 to {FAULTS}, each once")));
    }
    for row in &all {
        for item in &row.shown {
            if let Err(what) = exists(item, files) {
                found.push(finding(row.line, what));
            }
        }
    }
    found
}

fn exists(item: &str, files: &[File]) -> Result<(), String> {
    let has = |path: &str, text: &str| {
        files.iter().any(|file| file.path == path && file.text.contains(text))
    };
    if let Some(kind) = item.strip_prefix("sim: ") {
        let is_counted = has(KINDS, &format!("\"{kind}\""));
        let what = || format!("the simulation counts no {kind:?} among what must happen");
        return is_counted.then_some(()).ok_or_else(what);
    }
    if let Some((path, name)) = item.split_once("::") {
        let is_there = has(path, &format!("fn {name}("));
        return is_there.then_some(()).ok_or_else(|| format!("{path} has no test {name}"));
    }
    let what = || format!("{item:?} is no test, and does not begin with {NOT_COVERED:?}");
    item.starts_with(NOT_COVERED).then_some(()).ok_or_else(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<String> {
        let files = [
            File::new("tests/a.rs", "#[test]\nfn it_holds() {}\n"),
            File::new(KINDS, "const WANTED: [&str; 1] = [\"crash\"];"),
        ];
        let rest: Vec<String> =
            (2..=FAULTS).map(|at| format!("{at} | x | {NOT_COVERED}x")).collect();
        let text = format!("# comment\n{line}\n{}\n", rest.join("\n"));
        checked(&text, &files).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_row_is_shown_by_what_exists_or_says_why_not() {
        for shown in ["tests/a.rs::it_holds", "sim: crash", "not covered, because it is not"] {
            assert_eq!(found(&format!("1 | a fault | {shown}")), Vec::<String>::new());
        }
        for (shown, words) in [
            ("tests/a.rs::it_does_not", "tests/a.rs has no test it_does_not"),
            ("sim: flood", "counts no \"flood\""),
            ("of course", "is no test"),
            ("sim: crash; tests/b.rs::it_holds", "tests/b.rs has no test it_holds"),
        ] {
            let found = found(&format!("1 | a fault | {shown}"));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with("tests/tidy/faults.txt:2: "), "{found:?}");
            assert!(found[0].contains(words), "{found:?}");
        }
        assert_eq!(found("2 | a fault | sim: crash").len(), 1, "a number twice");
    }

    #[test]
    fn the_table_tells_the_tests_as_sentences() {
        let text = "7 | a fault | tests/a.rs::it_holds; sim: crash; not covered, because so";
        let row = "| 7 | a fault | [it holds](../tests/a.rs)<br>simulated: crash<br>\
                   **not covered, because so** |\n";
        assert!(table(text).ends_with(row), "{}", table(text));
    }
}
