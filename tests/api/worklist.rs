//! The worklist: one order over all accounts, pages without gaps, drafts that the linter lets pass.

use std::collections::BTreeSet;

use odrwatch::advice::Language;
use odrwatch::advice::drafts::Kind;
use odrwatch::advice::drafts::lint::lint;
use odrwatch::http::api::care::WorkItem;
use serde_json::{Value, json};

use crate::stage::{Stage, account_path, encode};

fn items(answer: &Value) -> Vec<WorkItem> {
    serde_json::from_value(answer["items"].clone()).unwrap()
}

fn name(item: &WorkItem) -> String {
    let reference = item.reference.as_deref().unwrap_or_default();
    format!("{}|{}|{}|{reference}", item.seller_id, item.order_id, item.kind)
}

#[test]
fn pages_hold_every_item_once_and_in_the_order_of_the_whole() {
    let mut found_some = false;
    for seed in 0..4 {
        let mut stage = Stage::new(seed);
        let whole = items(&stage.json("/api/v1/worklist?limit=200"));
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/worklist?limit=2&cursor={}", encode(&cursor));
            let page = stage.json(&path);
            assert_eq!(page["total"], whole.len());
            found.extend(items(&page));
            let Some(next) = page["next_cursor"].as_str() else { break };
            next.clone_into(&mut cursor);
        }
        assert_eq!(found, whole);
        let names: BTreeSet<_> = whole.iter().map(name).collect();
        assert_eq!(names.len(), whole.len());
        found_some |= whole.len() > 3;
        stage.stop();
    }
    assert!(found_some, "some seeds have several pages");
}

#[test]
fn an_account_has_its_own_part_of_the_whole_and_the_page_of_the_account_the_same() {
    let mut stage = Stage::new(1);
    let whole = items(&stage.json("/api/v1/worklist?limit=200"));
    assert!(!whole.is_empty());
    let rows = stage.json("/api/v1/sellers?limit=200");
    let mut sum = 0;
    for row in rows["items"].as_array().unwrap() {
        let seller = row["seller_id"].as_str().unwrap();
        let marketplace = match row["marketplace_id"].as_str().unwrap() {
            "" => "-".to_owned(),
            name => encode(name),
        };
        let path = format!(
            "/api/v1/worklist?limit=200&seller={}&marketplace={marketplace}",
            encode(seller)
        );
        let mine = items(&stage.json(&path));
        let of_whole = whole.iter().filter(|item| {
            item.seller_id == seller && row["marketplace_id"] == *item.marketplace_id
        });
        assert_eq!(mine, of_whole.cloned().collect::<Vec<_>>(), "{row}");
        let account = stage.json(&account_path(row));
        let shown = items(&account["worklist"]);
        assert_eq!(shown, mine[..mine.len().min(20)], "{row}");
        assert_eq!(account["worklist"]["total"], mine.len());
        sum += mine.len();
    }
    assert_eq!(sum, whole.len());
    for nobody in ["seller=Nobody", "marketplace=Nowhere", "seller=Nobody&marketplace=-"] {
        let none = stage.json(&format!("/api/v1/worklist?{nobody}"));
        assert_eq!((&none["total"], &none["items"]), (&0.into(), &Value::Array(Vec::new())));
    }
    stage.stop();
}

#[test]
fn what_saves_more_of_a_rate_comes_first_and_nothing_is_past_its_deadline() {
    for seed in 0..4 {
        let mut stage = Stage::new(seed);
        let answer = stage.json("/api/v1/worklist?limit=200");
        let all = items(&answer);
        let parts = |item: &WorkItem| match item.gain.defects_of_order {
            0 => u64::MAX,
            defects => u64::from(defects) * u64::from(item.gain.now.orders),
        };
        for pair in all.windows(2) {
            let (left, right) = (&pair[0], &pair[1]);
            assert!(left.first >= right.first, "{left:?} {right:?}");
            assert!(left.first != right.first || parts(left) <= parts(right), "{left:?} {right:?}");
        }
        for item in &all {
            let row = json!({"seller_id": item.seller_id, "marketplace_id": item.marketplace_id});
            let account = stage.json(&account_path(&row));
            let boundary = account["meta"]["boundary"].as_str().unwrap();
            let is_open = |until: &str| until > boundary;
            assert!(item.until.as_deref().is_none_or(is_open), "{boundary}: {item:?}");
            let saved = item.gain.now.defective_orders - item.gain.after.defective_orders;
            assert_eq!(saved, u32::from(item.gain.defects_of_order == 1), "{item:?}");
        }
        stage.stop();
    }
}

#[test]
fn every_draft_passes_the_linter_in_the_language_that_is_asked_for() {
    let mut stage = Stage::new(1);
    let mut drafts = 0;
    for language in Language::ALL {
        let path = format!("/api/v1/worklist?limit=200&language={}", language.as_str());
        for item in items(&stage.json(&path)) {
            assert_eq!(item.drafts.is_empty(), item.kind != "negative_feedback", "{item:?}");
            for draft in &item.drafts {
                assert_eq!(draft.language, language.as_str());
                let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == draft.kind).unwrap();
                assert_eq!(lint(kind, language, &draft.text), [], "{}", draft.text);
                assert_eq!(
                    draft.text.contains(&item.order_id),
                    kind != Kind::PublicResponse,
                    "{}",
                    draft.text
                );
                drafts += 1;
            }
        }
    }
    assert!(drafts > 20, "{drafts} drafts");
    stage.stop();
}
