//! The worklist: what is offered, in which order, and what is said of the share of the channels.

use proptest::prelude::*;

use super::Decision::{Eligible, Not, Uncertain};
use super::*;
use crate::domain::event::{ChargebackReason, ChargebackStatus, ClaimStatus, FeedbackStatus};
use crate::domain::time::DAY_MS;

const TODAY: Day = Day::from_number(20_000);

fn now_ms() -> i64 {
    i64::from(TODAY.number()) * DAY_MS
}

fn standing<'a>(mfn: (u32, u32), afn: (u32, u32)) -> Standing<'a> {
    let rate = |(defective, orders)| Rate { defective, orders };
    Standing {
        seller_id: "S",
        marketplace_id: "M",
        rates: [[rate(mfn), rate(afn)]; 2],
        as_of: TODAY,
        now_ms: now_ms(),
    }
}

fn feedback(order: &str, days_ago: i32, best: Decision) -> Case {
    let mut decisions = [Not; 5];
    decisions[Rule::ProductReview.index()] = best;
    case(order, days_ago, DefectFact::Feedback { status: FeedbackStatus::Posted, rating: 1 })
        .judged_as(Judged { decisions, reason: Reason::Quality, language: Some(Language::En) })
}

impl Case {
    fn judged_as(self, judged: Judged) -> Self {
        Self { judged: Some(judged), ..self }
    }
}

fn case(order: &str, days_ago: i32, fact: DefectFact) -> Case {
    let at = EventTime::from_ms(now_ms() - i64::from(days_ago) * DAY_MS);
    let reference = (fact.kind() != DefectKind::NegativeFeedback).then(|| "R".into());
    Case {
        order_id: order.into(),
        reference,
        purchase_day: TODAY.plus(-days_ago - 5),
        channel: Channel::Mfn,
        fact,
        opened: at,
        stated: at,
        counting: Counting::Final,
        judged: None,
        tag: 0,
    }
}

fn claim(order: &str, days_ago: i32, status: ClaimStatus) -> Case {
    case(order, days_ago, DefectFact::Claim { status, funded_by: None, odr_impact: None })
}

fn chargeback(order: &str, days_ago: i32, status: ChargebackStatus) -> Case {
    let reason = ChargebackReason::Service;
    case(order, days_ago, DefectFact::Chargeback { status, reason, odr_impact: None })
}

fn of(standing: &Standing<'_>, cases: Vec<Case>) -> Plan {
    plan(standing, cases, &Policy::default(), &Terms::default())
}

fn told(plan: &Plan) -> Vec<(&str, &str)> {
    plan.items.iter().map(|item| (&*item.case.order_id, item.action.as_str())).collect()
}

#[test]
fn each_defect_gets_the_best_action_that_is_still_open() {
    for (case, expected) in [
        (feedback("1", 10, Eligible), Some("request_removal")),
        (feedback("1", 10, Uncertain), Some("review_removal")),
        (feedback("1", 10, Not), Some("repair_order")),
        // After 60 days the buyer cannot change it, and after 90 its removal cannot be asked for.
        (feedback("1", 61, Uncertain), Some("review_removal")),
        (feedback("1", 61, Not), Some("respond_publicly")),
        (feedback("1", 60, Not), Some("respond_publicly")),
        (feedback("1", 59, Not), Some("repair_order")),
        (feedback("1", 90, Eligible), Some("respond_publicly")),
        (claim("1", 1, ClaimStatus::Filed), Some("answer_claim")),
        (claim("1", 2, ClaimStatus::UnderReview), None),
        (claim("1", 29, ClaimStatus::Granted), Some("appeal_claim")),
        (claim("1", 30, ClaimStatus::Granted), None),
        (claim("1", 1, ClaimStatus::Appealed), None),
        (chargeback("1", 6, ChargebackStatus::Opened), Some("answer_chargeback")),
        (chargeback("1", 7, ChargebackStatus::UnderReview), None),
        (chargeback("1", 1, ChargebackStatus::Lost), None),
    ] {
        let plan = of(&standing((1, 100), (0, 0)), vec![case.clone()]);
        let actions: Vec<_> = plan.items.iter().map(|item| item.action.as_str()).collect();
        assert_eq!(actions, expected.into_iter().collect::<Vec<_>>(), "{case:?}");
        assert_eq!(plan.left_alone, usize::from(expected.is_none()));
    }
}

#[test]
fn removals_come_first_only_above_the_target() {
    let cases = || {
        vec![
            claim("claim", 1, ClaimStatus::Filed),
            feedback("removable", 3, Eligible),
            feedback("repair", 54, Not),
        ]
    };
    let above = of(&standing((3, 200), (0, 0)), cases());
    assert!(above.is_above_target);
    assert_eq!(told(&above)[0], ("removable", "request_removal"));
    // At exactly 1 % the target is met: what is due first comes first.
    let at = of(&standing((3, 300), (0, 0)), cases());
    assert!(!at.is_above_target);
    let order: Vec<_> = told(&at).into_iter().map(|(order, _)| order).collect();
    assert_eq!(order, ["claim", "repair", "removable"]);
}

#[test]
fn defects_of_one_order_share_what_it_saves() {
    let cases = vec![
        feedback("two", 3, Eligible),
        claim("two", 1, ClaimStatus::Filed),
        feedback("one", 3, Eligible),
        feedback("stuck", 3, Eligible),
        chargeback("stuck", 20, ChargebackStatus::Lost),
    ];
    let plan = of(&standing((3, 1_000), (0, 0)), cases);
    let saves: Vec<_> = plan
        .items
        .iter()
        .map(|item| (&*item.case.order_id, item.saving.per_action(), item.saving.after.defective))
        .collect();
    assert_eq!(
        saves,
        [
            ("one", Some((1, 1_000)), 2),
            ("two", Some((1, 2_000)), 3),
            ("two", Some((1, 2_000)), 3),
            ("stuck", None, 3),
        ]
    );
    assert_eq!(plan.left_alone, 1);
}

#[test]
fn an_order_out_of_the_live_view_saves_only_officially_and_comes_last() {
    let old = feedback("old", 60, Eligible);
    let plan = of(&standing((2, 100), (0, 0)), vec![old, feedback("new", 3, Uncertain)]);
    // Bought 65 days ago: out of the live view, within the official one.
    let item = &plan.items[1];
    assert_eq!((&*item.case.order_id, item.is_first), ("old", false));
    assert_eq!((item.saving.now.defective, item.saving.after.defective), (2, 2));
    assert_eq!(item.saving.official.1.defective, 1);
    assert_eq!(item.saving.per_action(), None);
    assert_eq!(item.moot_on, item.case.purchase_day.plus(75));
}

#[test]
fn the_gain_says_how_many_defects_are_left_with_and_without() {
    let plan = of(&standing((3, 300), (0, 0)), vec![feedback("1", 3, Eligible)]);
    let saving = plan.items[0].saving;
    assert_eq!((saving.defects_left, saving.defects_left_after), (0, 1));
    assert_eq!(saving.now, Rate { defective: 3, orders: 300 });
    assert_eq!(saving.after, Rate { defective: 2, orders: 300 });
}

#[test]
fn a_share_of_amazon_that_flatters_is_told_by_exact_fractions() {
    for (mfn, afn, expected) in [
        // 2/100 of the seller's own are 2/300 of all.
        ((2, 100), (0, 200), Some(true)),
        // Both above the target: it flatters, and hides nothing.
        ((3, 100), (1, 100), Some(false)),
        // Equal rates do not flatter, whatever their fractions look like.
        ((1, 3), (2, 6), None),
        ((1, 100), (5, 100), None),
        ((0, 0), (5, 100), None),
        ((1, u32::MAX), (0, 0), None),
    ] {
        let share = of(&standing(mfn, afn), Vec::new()).share;
        assert_eq!(share.map(|share| share.hides_target), expected, "{mfn:?} {afn:?}");
    }
}

#[test]
fn the_best_rule_is_the_first_of_the_best_decisions() {
    let judged = |decisions| Judged { decisions, reason: Reason::Late, language: None };
    assert_eq!(judged([Not; 5]).best(), None);
    let best = judged([Uncertain, Not, Eligible, Eligible, Not]).best();
    assert_eq!(best, Some((Rule::ProductReview, Eligible)));
    let best = judged([Not, Uncertain, Uncertain, Not, Not]).best();
    assert_eq!(best, Some((Rule::PersonalData, Uncertain)));
}

fn any_case() -> impl Strategy<Value = Case> {
    let order = 0..6_u8;
    let days = 0..95_i32;
    let best = prop::sample::select(Decision::ALL.to_vec());
    (order, days, best, 0..8_u8).prop_map(|(order, days, best, kind)| {
        let order = format!("order-{order}");
        match kind {
            0..=2 => feedback(&order, days, best),
            3 => claim(&order, days % 4, ClaimStatus::Filed),
            4 => claim(&order, days, ClaimStatus::Granted),
            5 => claim(&order, days, ClaimStatus::Appealed),
            6 => chargeback(&order, days % 9, ChargebackStatus::Opened),
            _ => chargeback(&order, days, ChargebackStatus::Lost),
        }
    })
}

/// Cases of different names, as an account has them.
fn any_cases() -> impl Strategy<Value = Vec<Case>> {
    prop::collection::vec(any_case(), 0..12).prop_map(|cases| {
        let mut seen = std::collections::BTreeSet::new();
        let name = |case: &Case| (case.order_id.clone(), case.fact.kind());
        cases.into_iter().filter(|case| seen.insert(name(case))).collect()
    })
}

proptest! {
    #[test]
    fn the_order_is_total_and_does_not_depend_on_what_came_first(
        (cases, shuffled) in any_cases().prop_flat_map(|cases| {
            (Just(cases.clone()), Just(cases).prop_shuffle())
        }),
        defective in 0..8_u32,
        orders in 8..900_u32,
    ) {
        let standing = standing((defective, orders), (0, 50));
        let plan = of(&standing, cases);
        prop_assert_eq!(&plan, &of(&standing, shuffled));
        for (at, item) in plan.items.iter().enumerate() {
            for (other_at, other) in plan.items.iter().enumerate() {
                prop_assert_eq!(item.order(other), at.cmp(&other_at));
            }
        }
    }

    #[test]
    fn what_saves_more_comes_first_and_nothing_is_too_late(
        cases in any_cases(),
        others in any_cases(),
        counts in (0..8_u32, 8..900_u32, 0..8_u32, 8..900_u32),
    ) {
        let count = cases.len();
        let mine = of(&standing((counts.0, counts.1), (0, 0)), cases);
        prop_assert_eq!(mine.items.len() + mine.left_alone, count);
        let other = Standing { seller_id: "T", ..standing((counts.2, counts.3), (0, 0)) };
        let mut all: Vec<Item> = mine.items.into_iter().chain(of(&other, others).items).collect();
        all.sort_by(Item::order);
        for item in &all {
            prop_assert!(item.until_ms.is_none_or(|until_ms| until_ms > now_ms()));
            prop_assert!(item.deadlines.iter().all(|deadline| !deadline.is_past(now_ms())));
            prop_assert!(!item.is_first || item.action == Action::RequestRemoval);
            prop_assert!(item.saving.after.defective <= item.saving.now.defective);
        }
        for pair in all.windows(2) {
            let (left, right) = (&pair[0], &pair[1]);
            prop_assert!(left.is_first >= right.is_first);
            if left.is_first != right.is_first {
                continue;
            }
            // 1/a is at least 1/b exactly if a is at most b.
            let parts = |item: &Item| item.saving.per_action().map_or(u64::MAX, |(_, of)| of);
            prop_assert!(parts(left) <= parts(right));
            let is_equal = left.saving.rank() == right.saving.rank();
            prop_assert!(!is_equal || left.due_ms <= right.due_ms);
        }
    }
}
