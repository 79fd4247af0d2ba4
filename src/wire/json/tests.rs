//! The grammar, the depth, surrogates and the ends of strings, each against `serde_json`.

use super::*;

fn scan(text: &str) -> Result<Vec<Member<'_>>, Flaw> {
    let mut scanner = Scanner::new(text);
    let mut members = Vec::new();
    if scanner.open()? == Outermost::Object {
        while let Some(member) = scanner.member()? {
            members.push(member);
        }
    }
    Ok(members)
}

/// Texts that are JSON.
const GOOD: &[&str] = &[
    "{}",
    " { } ",
    "[]",
    "null",
    "0",
    "-0",
    "1e400",
    "-1.5E+07",
    r#""""#,
    "[1,[2,{}],{}]",
    "{\"a\":[]}",
    "\t\r\n {\"a\" : 1 , \"b\":[ true , false , null ] } \n",
    "{\"\":\"\u{7f}\u{80}\"}",
    r#"{"a":"\u0000\"\\\/\b\f\n\r\t\uABcd"}"#,
];

/// Texts that are not.
const BAD: &[&str] = &[
    "",
    " ",
    "{",
    "}",
    "[",
    "]",
    "{]",
    "[}",
    "{,}",
    "[,]",
    "[1,]",
    "{\"a\":1,}",
    "{\"a\"}",
    "{\"a\":}",
    "{a:1}",
    "{1:1}",
    "{'a':1}",
    "01",
    "-",
    "+1",
    ".5",
    "1.",
    "1.e1",
    "1e",
    "1e+",
    "--1",
    "0x1",
    "NaN",
    "Infinity",
    "tru",
    "True",
    "nul",
    "nulll",
    "[1 2]",
    "{\"a\" 1}",
    "{\"a\":1 \"b\":2}",
    "{,\"a\":1}",
    "\"",
    "\"\\",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\n\"",
    "\"\u{0}\"",
    "\"\u{1f}\"",
    "{}{}",
    "{} x",
    "[]]",
    "\u{feff}{}",
    "{}\u{0}",
    "\u{a0}{}",
    "{\"a\":1}/**/",
    "\u{0}",
    "{\"a\":1\u{c}}",
    "[\"a\":1]",
];

#[test]
fn only_the_grammar_of_rfc_8259_is_accepted() {
    for text in GOOD {
        assert!(scan(text).is_ok(), "{text}");
        assert!(serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
    }
    for text in BAD {
        assert!(matches!(scan(text), Err(Flaw::Grammar(_))), "{text}");
        assert!(serde_json::from_str::<serde_json::Value>(text).is_err());
    }
}

#[test]
fn a_flaw_is_told_with_its_place() {
    assert_eq!(scan("{\"a\":01}"), Err(Flaw::Grammar(6)));
    assert_eq!(scan("{\"a\":1"), Err(Flaw::Grammar(6)));
}

#[test]
fn nesting_ends_at_127_levels_whatever_it_is_nested_in() {
    for depth in [126, 127, 128] {
        let arrays = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let objects = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        let mixed = format!("{{\"a\":{}}}", {
            let half = (depth - 1) / 2;
            let odd = (depth - 1) % 2;
            let open = "[{\"b\":".repeat(half) + &"[".repeat(odd);
            open + "0" + &"]".repeat(odd) + &"}]".repeat(half)
        });
        for text in [&arrays, &objects, &mixed] {
            let scanned = scan(text);
            match depth {
                128 => assert!(matches!(scanned, Err(Flaw::Depth(_))), "{text}"),
                _ => assert!(scanned.is_ok(), "{text} {scanned:?}"),
            }
        }
    }
}

#[test]
fn unpaired_surrogates_are_seen() {
    for (text, unpaired) in [
        (r"\ud83d\ude00", false),
        (r"x\ud83d\ude00y\uD83D\uDE00", false),
        (r"\ud83d", true),
        (r"\ude00", true),
        (r"\ude00\ud83d", true),
        (r"\ud83dx\ude00", true),
        (r"\ud83d\n\ude00", true),
        (r"\ud83d\ud83d\ude00", true),
        (r"\ud83d\ude00\ude00", true),
        (r"\ud83d\u0041", true),
        (r"\\ud83d", false),
        (r"\ud7ff\ue000", false),
    ] {
        let text = format!("{{\"{text}\":0}}");
        let members = scan(&text).unwrap();
        assert_ne!(members[0].name_escapes, Escapes::None);
        assert_eq!(members[0].name_escapes == Escapes::Unpaired, unpaired, "{text}");
        let strict = serde_json::from_str::<std::collections::BTreeMap<String, u8>>(&text);
        assert_eq!(strict.is_err(), unpaired, "{text}");
    }
}

#[test]
fn a_string_ends_at_its_first_quote_whatever_bytes_are_around() {
    for length in 0..40 {
        for stop in ["\"", "\\n\"", "\u{1}\""] {
            let text = format!(
                "\"{}{stop}",
                "\u{ff}~! \u{80}".repeat(9)[..].chars().take(length).collect::<String>()
            );
            assert_eq!(
                scan(&text).is_ok(),
                serde_json::from_str::<String>(&text).is_ok(),
                "{text:?}"
            );
        }
    }
}
