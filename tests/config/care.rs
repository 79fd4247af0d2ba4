//! Templates of drafts that a user states, and what is refused in them.

use std::fs;

use odrwatch::advice::drafts::{Kind, Subject, Templates, Values};
use odrwatch::advice::{Language, Reason};
use odrwatch::config;
use tempfile::TempDir;

use super::{Given, assert_golden};

/// A configuration beside a directory of templates.
fn stated(templates: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("c.yaml"), "care: {templates: mine, language: de, show_comments: true}\n")
        .unwrap();
    fs::create_dir(path("mine")).unwrap();
    for (name, text) in templates {
        let path = path("mine").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

fn load(directory: &TempDir) -> Result<config::Config, config::ConfigErrors> {
    let file = directory.path().join("c.yaml");
    Given { file: Some(&file), ..Given::default() }.load()
}

#[test]
fn templates_are_read_beside_the_configuration_and_stand_over_the_built_in_ones() {
    let directory = stated(&[
        ("de/public_response.txt", "[late]\nDas tut uns leid.\n"),
        ("README.md", "Ours."),
        (".git/x.txt", "hidden"),
    ]);
    let care = load(&directory).unwrap().care;
    assert_eq!((care.language, care.show_comments), (Language::De, true));
    let draft = |templates: &Templates, language| {
        let subject = Subject::Reason(Reason::Late);
        templates.draft(Kind::PublicResponse, language, subject, &Values::default())
    };
    assert_eq!(draft(&care.templates, Language::De), "Das tut uns leid.");
    let built_in = draft(Templates::defaults(), Language::En);
    assert_eq!(draft(&care.templates, Language::En), built_in);
}

#[test]
fn every_mistake_in_templates_is_listed_with_its_place() {
    let directory = stated(&[
        ("follow_up.txt", "[late]\nx\n"),
        ("gr/follow_up.txt", "[late]\nx\n"),
        ("en/followup.txt", "[late]\nx\n"),
        ("en/follow_up.txt", "[late]\n\nPlease change your rating, {order}.\n[lately]\n"),
        (
            "en/buyer_message.txt",
            "[late]\nWe will send you a voucher if you change your rating.\n[other]\nSorry!\n",
        ),
        ("de/public_response.txt", "[late]\nBestellung {order_id}: Das war nicht unsere Schuld.\n"),
        ("ja/follow_up.txt", "[closing]\n評価の変更をお願いいたします。\n"),
    ]);
    let errors = load(&directory).unwrap_err();
    assert_golden("care.txt", directory.path(), &errors.to_string());
}

#[test]
fn a_directory_that_is_not_there_or_has_nothing_is_a_mistake() {
    let directory = stated(&[]);
    let said = load(&directory).unwrap_err().to_string();
    assert!(said.contains("which has no template") && said.contains("en/follow_up.txt"), "{said}");
    fs::remove_dir(directory.path().join("mine")).unwrap();
    let said = load(&directory).unwrap_err().to_string();
    assert!(said.contains("cannot be read"), "{said}");
}

#[test]
fn what_is_shipped_under_config_is_what_is_built_in() {
    let path = super::in_repository("config/templates").display().to_string();
    let care = super::set(&[&format!("care.templates={path}")]).unwrap().care;
    let own = super::set(&[]).unwrap().care;
    assert_eq!(own.templates_path, None);
    for (language, kind, subject, text) in own.templates.texts() {
        let same = care
            .templates
            .texts()
            .find(|(one, two, three, _)| (*one, *two, *three) == (language, kind, subject));
        assert_eq!(same.unwrap().3, text);
    }
}
