//! What was exercised, and the seeds that failed.

use std::collections::BTreeMap;
use std::fmt;

use crate::Counts;
use crate::plan::Loud;

/// What must have happened in any run of some thousand seeds.
const WANTED: [&str; 58] = [
    "aborted input",
    "alerts compared",
    "broker down",
    "clean stop",
    "clock off",
    "commit: answer lost",
    "commit: end delayed",
    "commit: end never sent",
    "commit: fails at begin",
    "commit: fails at commit",
    "commit: fails at flush",
    "commit: fails at offsets",
    "commit: fails at send",
    "commit: fenced",
    "commit: markers lost",
    "commit: timed out",
    "coordinator away",
    "crash",
    "dead letters compared",
    "delayed end accepted",
    "delayed end refused",
    "fetch stalls",
    "group offsets expired",
    "hanging input transaction",
    "join",
    "leader lost",
    "loud stop: a limit",
    "loud stop: data gap",
    "loud stop: gap while reading",
    "loud stop: group offsets reset",
    "loud stop: inputs rewritten",
    "loud stop: progress cut",
    "loud stop: progress emptied",
    "loud stop: topic made anew",
    "loud stop: truncated",
    "loud stop: truncated while reading",
    "rebalance",
    "redo of a commit in part",
    "redo that goes wrong itself",
    "restored from the beginning",
    "retention",
    "session expired",
    "start refused for now",
    "stop: fenced by a hijacker",
    "stop: fenced by a twin",
    "store: away",
    "store: bit rot",
    "store: full",
    "store: lost sync",
    "store: short write",
    "store: slow",
    "store: torn write",
    "suspended",
    "timestamp far ahead",
    "transaction timed out",
    "twin",
    "worlds that came to the end",
    "worlds that stopped loudly",
];

/// How many failures are told in full.
const SHOWN: usize = 20;

/// Under which name a loud event is counted.
pub const fn name_of(loud: Loud, has_stopped: bool) -> &'static str {
    if !has_stopped {
        return "loud event without a stop, and rightly";
    }
    match loud {
        Loud::DataGap => "loud stop: data gap",
        Loud::GapWhileReading => "loud stop: gap while reading",
        Loud::TruncatedWhileReading => "loud stop: truncated while reading",
        Loud::Truncated => "loud stop: truncated",
        Loud::Recreated => "loud stop: topic made anew",
        Loud::Rewritten => "loud stop: inputs rewritten",
        Loud::ProgressCut => "loud stop: progress cut",
        Loud::ProgressEmptied => "loud stop: progress emptied",
        Loud::OffsetsReset => "loud stop: group offsets reset",
        Loud::Limit => "loud stop: a limit",
    }
}

/// The seeds of a list: a number a line, with comments after `#`.
pub fn seeds(list: &str) -> Vec<u64> {
    let without_comment = |line: &str| line.split('#').next().unwrap_or_default().trim().to_owned();
    let lines = list.lines().map(without_comment).filter(|line| !line.is_empty());
    lines.map(|line| line.parse().unwrap_or_else(|_| panic!("{line:?} is no seed"))).collect()
}

/// What is said of a seed that failed.
pub fn failed(seed: u64, error: &str) -> String {
    format!(
        "seed {seed}: {error}\nrun it again with `make simulate FROM={seed} SEEDS=1`, and write it \
         into tests/simulation/seeds.txt in the change that corrects the code"
    )
}

/// What a run came to.
#[derive(Debug, Default)]
pub struct Summary {
    counts: Counts,
    failed: BTreeMap<u64, String>,
}

impl Summary {
    pub fn add(&mut self, seed: u64, result: Result<Counts, String>) {
        match result {
            Ok(counts) => {
                let is_loud = counts.keys().any(|what| what.starts_with("loud stop: "));
                let end = if is_loud {
                    "worlds that stopped loudly"
                } else {
                    "worlds that came to the end"
                };
                *self.counts.entry(end).or_default() += 1;
                for (what, count) in counts {
                    *self.counts.entry(what).or_default() += count;
                }
            }
            Err(error) => {
                self.failed.insert(seed, error);
            }
        }
    }

    pub fn failures(&self) -> usize {
        self.failed.len()
    }

    /// No seed failed.
    pub fn check_failures(&self) {
        let some = self.failed.iter().take(SHOWN).map(|(seed, error)| failed(*seed, error));
        let some: Vec<String> = some.collect();
        let all: Vec<&u64> = self.failed.keys().collect();
        assert!(all.is_empty(), "{} seeds failed: {all:?}\n\n{}", all.len(), some.join("\n\n"));
    }

    /// No seed failed, and everything that can happen did.
    pub fn check(&self) {
        self.check_failures();
        let missing: Vec<&str> = self.missing();
        assert!(missing.is_empty(), "never happened: {missing:?}\n{self}");
    }

    fn missing(&self) -> Vec<&'static str> {
        let happened = |what: &&str| self.counts.get(*what).is_some_and(|count| *count > 0);
        WANTED.into_iter().filter(|what| !happened(what)).collect()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, count) in &self.counts {
            writeln!(formatter, "{count:>9}  {what}")?;
        }
        write!(formatter, "{:>9}  seeds that failed", self.failed.len())
    }
}

#[test]
fn a_fault_that_never_happened_is_missed() {
    let mut summary = Summary::default();
    summary.add(1, Ok(WANTED.into_iter().map(|what| (what, 1)).collect()));
    assert_eq!(summary.missing(), Vec::<&str>::new());
    let mut summary = Summary::default();
    summary.add(1, Ok(WANTED.into_iter().filter(|one| *one != "crash").map(|w| (w, 1)).collect()));
    assert_eq!(summary.missing(), ["crash"]);
}

#[test]
#[should_panic(expected = "1 seeds failed: [7]\n\nseed 7: why")]
fn a_seed_that_failed_is_named_with_the_command_to_run_it_again() {
    let mut summary = Summary::default();
    summary.add(7, Err("why".to_owned()));
    summary.check_failures();
}
