//! What the findings of a comment come to together: a sum of whole numbers for rules 3 to 5.
//!
//! A sign is something that is so of a comment or is not: a topic is in it, its clause that reads
//! least like a product still does so by more than 300 thousandths. Each sign has a weight for each
//! of the three rules, in `verdicts.txt`, by its name; so what made a verdict can be read there.
//! The weights and the sums from which a comment is eligible are trained, on comments that the
//! scores of the signs were not trained on.
//!
//! Invariant: the numbers of signs are the same in training and in use.

use super::model::{HEADS, Head, Scores};
use super::topic::{Topic, Topics};

/// What signs are made of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Findings<'a> {
    /// All topics that the lexicons found.
    pub topics: Topics,
    /// Facts of the whole comment, by [`FLAGS`].
    pub flags: [bool; FLAGS.len()],
    /// The scores of all clauses together.
    pub whole: Scores,
    /// The scores of each clause of more than a word or two.
    pub clauses: &'a [Scores],
}

/// What may be so of a whole comment.
pub(super) const FLAGS: [&str; 7] = [
    "obscene",
    "personal data",
    "one clause",
    "two clauses",
    "many clauses",
    "unread clause",
    "parcel",
];

/// From these scores on, in thousandths, signs change.
const STEPS: [i32; 8] = [-1200, -900, -600, -300, 0, 300, 600, 900];

/// Heads that are asked for, against heads that should not be there: a clause reads like one of
/// the former by so much more than like any of the latter.
const CONTESTS: [(&str, &[Head], &[Head]); 3] = [
    (
        "product",
        &[Head::Product],
        &[Head::Delay, Head::Way, Head::Damage, Head::Service, Head::Returns, Head::Offer],
    ),
    (
        "way",
        &[Head::Delay, Head::Way],
        &[Head::Product, Head::Damage, Head::Service, Head::Returns, Head::Offer],
    ),
    (
        "delay",
        &[Head::Delay],
        &[Head::Product, Head::Way, Head::Damage, Head::Service, Head::Returns, Head::Offer],
    ),
];

/// How many signs a score gives.
const OF_SCORE: usize = STEPS.len();

/// How many signs there are.
pub const SIGNS: usize =
    1 + Topic::ALL.len() + FLAGS.len() + 3 * OF_SCORE * HEADS + 3 * OF_SCORE * CONTESTS.len();

/// The names of all signs, by number.
#[must_use]
pub fn names() -> Vec<String> {
    let mut names = vec!["always".to_owned()];
    names.extend(Topic::ALL.map(|topic| format!("topic {}", topic.as_str())));
    names.extend(FLAGS.map(str::to_owned));
    let mut steps = |what: String| names.extend(STEPS.map(|step| format!("{what} above {step}")));
    for head in Head::ALL {
        steps(format!("whole {}", head.as_str()));
        steps(format!("most {}", head.as_str()));
        steps(format!("least {}", head.as_str()));
    }
    for (name, _, _) in CONTESTS {
        steps(format!("least {name} over others"));
        steps(format!("most {name} over others"));
        steps(format!("most other than {name}"));
    }
    names
}

/// The numbers of the signs that are there, ascending.
pub(super) fn signs(findings: Findings<'_>) -> Vec<usize> {
    let mut signs = vec![0];
    let mut at = 1;
    let mut add = |is_so: bool| {
        if is_so {
            signs.push(at);
        }
        at += 1;
    };
    for topic in Topic::ALL {
        add(findings.topics.has(topic));
    }
    for flag in findings.flags {
        add(flag);
    }
    let mut steps = |score: i32| {
        for step in STEPS {
            add(score > step);
        }
    };
    let whole = [findings.whole];
    let clauses = if findings.clauses.is_empty() { &whole } else { findings.clauses };
    for head in Head::ALL {
        let of = |scores: &Scores| scores[head.index()];
        steps(of(&findings.whole));
        steps(clauses.iter().map(of).max().unwrap_or(0));
        steps(clauses.iter().map(of).min().unwrap_or(0));
    }
    for (_, asked, others) in CONTESTS {
        let best = |scores: &Scores, heads: &[Head]| -> i32 {
            heads.iter().map(|head| scores[head.index()]).max().unwrap_or(0)
        };
        let gap = |scores: &Scores| best(scores, asked) - best(scores, others);
        steps(clauses.iter().map(gap).min().unwrap_or(0));
        steps(clauses.iter().map(gap).max().unwrap_or(0));
        steps(clauses.iter().map(|scores| best(scores, others)).max().unwrap_or(0));
    }
    signs
}

/// The weights of the signs for rules 3 to 5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Balance {
    weights: Vec<[i32; 3]>,
    /// From these sums on, a comment is eligible.
    from: [i32; 3],
}

impl Balance {
    /// Reads lines of `name: w3 w4 w5`; a sign that is not listed weighs nothing, and `from` is
    /// what sums must come to.
    pub(super) fn read(lines: &str) -> Result<Self, String> {
        let mut balance = Self { weights: vec![[0; 3]; SIGNS], from: [i32::MAX; 3] };
        let names = names();
        for line in lines.lines().filter(|line| !line.starts_with('#')) {
            let (name, numbers) = line.split_once(": ").ok_or_else(|| line.to_owned())?;
            let numbers: Vec<i32> =
                numbers.split(' ').filter_map(|number| number.parse().ok()).collect();
            let weights = <[i32; 3]>::try_from(numbers).map_err(|_| line.to_owned())?;
            if name == "from" {
                balance.from = weights;
                continue;
            }
            let at = names.iter().position(|known| known == name);
            balance.weights[at.ok_or_else(|| line.to_owned())?] = weights;
        }
        Ok(balance)
    }

    /// How far the sums of signs are above what they must come to.
    pub(super) fn weigh(&self, signs: &[usize]) -> [i32; 3] {
        [0, 1, 2].map(|rule: usize| {
            let weights = signs.iter().map(|sign| self.weights[*sign][rule]);
            weights.fold(0, i32::saturating_add).saturating_sub(self.from[rule])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_has_a_name_of_its_own() {
        let mut names = names();
        assert_eq!(names.len(), SIGNS);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), SIGNS);
    }

    #[test]
    fn signs_are_those_of_the_findings() {
        let findings = Findings {
            topics: Topics::of(&[Topic::Late]),
            clauses: &[[1000; HEADS], [-2000; HEADS]],
            ..Findings::default()
        };
        let names = names();
        let told: Vec<&str> = signs(findings).iter().map(|sign| names[*sign].as_str()).collect();
        assert!(told.contains(&"topic late"));
        assert!(told.contains(&"most product above 900"));
        assert!(!told.contains(&"least product above -1200"));
        assert!(told.contains(&"whole product above -300"));
        assert!(!told.contains(&"whole product above 0"));
    }

    #[test]
    fn a_sum_is_told_from_what_it_must_come_to() {
        let balance = Balance::read("# x\nfrom: 5 0 -1\nalways: 2 3 4\ntopic late: 1 1 1").unwrap();
        assert_eq!(balance.weigh(&[0]), [-3, 3, 5]);
        assert!(Balance::read("topic lat: 1 1 1").is_err());
        assert!(Balance::read("topic late: 1 1").is_err());
    }
}
