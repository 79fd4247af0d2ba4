//! Reads the project's files and looks at Rust source without a parser: comments and literals
//! blanked, tokens, and which lines are test code.
//!
//! Invariant: lines keep their numbers through every step. Absent on purpose: full Rust grammar;
//! what is needed is what the rules ask for.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// One file of the project.
pub struct File {
    /// Its path from the project's root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its tokens, comments and literals left out; empty where it is not Rust.
    pub tokens: Vec<Token>,
    /// Lines (from 1) that are compiled for tests only.
    pub test_lines: BTreeSet<usize>,
}

impl File {
    /// A file from its path and text.
    pub fn new(path: &str, text: &str) -> Self {
        let tokens = if path.ends_with(".rs") { tokens(&blank(text)) } else { Vec::new() };
        let mut test_lines = test_regions(&tokens);
        let is_beside = path.ends_with("/tests.rs") || path.ends_with("_tests.rs");
        if is_beside || path.starts_with("tests/") || path.starts_with("benches/") {
            test_lines.extend(1..=text.lines().count());
        }
        Self { path: path.to_owned(), text: text.to_owned(), tokens, test_lines }
    }

    /// A finding at a line of this file.
    pub fn finding(&self, line: usize, message: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, message: message.into() }
    }

    /// Whether the file is below a folder, or is that file.
    pub fn is_in(&self, place: &str) -> bool {
        let rest = self.path.strip_prefix(place);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || place.ends_with('/'))
    }

    /// The lines with their numbers.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(at, line)| (at + 1, line))
    }

    /// The modules that lead to this file, from the crate's root: `src/a/b.rs` is `[a, b]`.
    pub fn module(&self) -> Vec<String> {
        let path = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let path = path.strip_suffix(".rs").unwrap_or(path);
        let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
        let last = parts.last().map(String::as_str);
        let is_root = parts.len() == 1 && matches!(last, Some("lib" | "main"));
        if is_root || last == Some("mod") {
            parts.pop();
        }
        parts
    }
}

/// Something that breaks a rule, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub path: String,
    pub line: usize,
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// A word, a number or a mark of source text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub line: usize,
    pub text: String,
}

/// Reads all files that rules speak of.
pub fn read_project(root: &Path) -> Vec<File> {
    const FOLDERS: [&str; 8] =
        ["src", "tests", "benches", "examples", "docs", "scripts", "config", "deploy"];
    const LONE: [&str; 5] =
        ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "Cargo.toml"];
    const KINDS: [&str; 7] = ["rs", "md", "sh", "yaml", "toml", "txt", "jsonl"];
    let mut waiting: Vec<_> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    let mut found: Vec<_> = LONE.iter().map(|name| root.join(name)).collect();
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("a folder of the project can be listed").path();
            let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or("");
            if path.is_dir() {
                waiting.push(path);
            } else if KINDS.contains(&kind) {
                found.push(path);
            }
        }
    }
    found.sort();
    let mut files = Vec::new();
    for path in found.iter().filter(|path| path.is_file()) {
        let text = std::fs::read_to_string(path).expect("files of the project are UTF-8 text");
        let name = path.strip_prefix(root).expect("found below the root");
        files.push(File::new(&name.to_string_lossy(), &text));
    }
    mark_test_modules(&mut files);
    files
}

/// Marks files that are declared by `#[cfg(test)] mod name;` as test code.
pub fn mark_test_modules(files: &mut [File]) {
    let mut places = BTreeSet::new();
    for file in files.iter() {
        for window in file.tokens.windows(3) {
            let declares = window[0].text == "mod" && window[2].text == ";";
            if declares && file.test_lines.contains(&window[0].line) {
                let mut module = file.module();
                module.push(window[1].text.clone());
                places.insert(module);
            }
        }
    }
    for file in files.iter_mut().filter(|file| file.path.starts_with("src/")) {
        let module = file.module();
        if places.iter().any(|place| module.starts_with(place)) {
            file.test_lines.extend(1..=file.text.lines().count());
        }
    }
}

/// The text with comments, strings and character literals replaced by spaces.
pub fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
            continue;
        }
        out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    out
}

/// Where the comment or literal that starts at `at` ends; `at` itself where none starts.
fn literal_end(chars: &[char], at: usize) -> usize {
    let get = |place: usize| chars.get(place).copied().unwrap_or('\0');
    match (get(at), get(at + 1)) {
        ('/', '/') => find(chars, at, |place| get(place) == '\n'),
        ('/', '*') => block_comment_end(chars, at),
        ('"', _) => string_end(chars, at + 1),
        ('r' | 'b' | 'c', _) if at == 0 || !is_word(get(at - 1)) => raw_string_end(chars, at),
        ('\'', '\\') => find(chars, at + 3, |place| get(place) == '\'') + 1,
        ('\'', _) if get(at + 2) == '\'' => at + 3,
        _ => at,
    }
}

fn find(chars: &[char], from: usize, stop: impl Fn(usize) -> bool) -> usize {
    let end = (from..chars.len()).find(|place| stop(*place));
    end.unwrap_or(chars.len())
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let (mut depth, mut place) = (0_usize, at);
    while place + 1 < chars.len() {
        match (chars[place], chars[place + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                place += 1;
                continue;
            }
        }
        place += 2;
        if depth == 0 {
            return place;
        }
    }
    chars.len()
}

fn string_end(chars: &[char], mut place: usize) -> usize {
    while place < chars.len() {
        match chars[place] {
            '\\' => place += 2,
            '"' => return place + 1,
            _ => place += 1,
        }
    }
    chars.len()
}

/// The end of a string with a prefix (`b""`, `r#""#`, `br""`, `c""`); `at` where it is a word.
fn raw_string_end(chars: &[char], at: usize) -> usize {
    let quote = find(chars, at, |place| !matches!(chars[place], 'r' | 'b' | 'c'));
    let open = find(chars, quote, |place| chars[place] != '#');
    let hashes = open - quote;
    let raw = chars[at..quote].contains(&'r');
    if quote - at > 2 || chars.get(open) != Some(&'"') || (hashes > 0 && !raw) {
        return at;
    }
    if !raw {
        return string_end(chars, open + 1);
    }
    let closes = |place: usize| {
        let marks = chars.get(place + 1..place + 1 + hashes);
        chars[place] == '"' && marks.is_some_and(|marks| marks.iter().all(|mark| *mark == '#'))
    };
    (find(chars, open + 1, closes) + 1 + hashes).min(chars.len())
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Splits blanked text into words, numbers (`1.5` is one), `::` and single marks.
pub fn tokens(code: &str) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let chars: Vec<char> = line.chars().collect();
        let mut at = 0;
        while at < chars.len() {
            let after_dot = out.last().is_some_and(|token| token.text == ".");
            let end = token_end(&chars, at, after_dot);
            if !chars[at].is_whitespace() {
                out.push(Token { line: index + 1, text: chars[at..end].iter().collect() });
            }
            at = end;
        }
    }
    out
}

fn token_end(chars: &[char], at: usize, after_dot: bool) -> usize {
    let get = |place: usize| chars.get(place).copied().unwrap_or('\0');
    if get(at) == ':' && get(at + 1) == ':' {
        return at + 2;
    }
    if !is_word(get(at)) {
        return at + 1;
    }
    let end = find(chars, at, |place| !is_word(get(place)));
    let is_number = get(at).is_ascii_digit() && !after_dot;
    if is_number && get(end) == '.' && get(end + 1).is_ascii_digit() {
        return find(chars, end + 1, |place| !is_word(get(place)));
    }
    end
}

/// The lines of items behind `#[cfg(test)]` or a `cfg` that holds `test` in `any` or `all`.
fn test_regions(tokens: &[Token]) -> BTreeSet<usize> {
    let mut lines = BTreeSet::new();
    for at in 0..tokens.len() {
        let text = |place: usize| tokens.get(at + place).map_or("", |token| token.text.as_str());
        if (text(0), text(1), text(2), text(3)) != ("#", "[", "cfg", "(") {
            continue;
        }
        let close = matching(tokens, at + 1, "[", "]");
        let inside: Vec<&str> = tokens[at..close].iter().map(|t| t.text.as_str()).collect();
        if inside.contains(&"test") && !inside.contains(&"not") {
            let end = item_end(tokens, close + 1);
            let last = tokens.get(end).or(tokens.last());
            lines.extend(tokens[at].line..=last.map_or(tokens[at].line, |token| token.line));
        }
    }
    lines
}

/// The index of the mark that closes the one at `open`.
fn matching(tokens: &[Token], open: usize, opens: &str, closes: &str) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if token.text == opens {
            depth += 1;
        } else if token.text == closes {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    tokens.len() - 1
}

fn item_end(tokens: &[Token], from: usize) -> usize {
    let open = (from..tokens.len()).find(|at| matches!(tokens[*at].text.as_str(), "{" | ";"));
    match open {
        Some(at) if tokens[at].text == "{" => matching(tokens, at, "{", "}"),
        Some(at) => at,
        None => tokens.len().saturating_sub(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_and_lines_stay() {
        let text = "a /* b /* c */ d */ e // f\n\
                    \"g \\\" h\" 'i' '\\'' b\"j\" r#\"k \" l\"# &'m n\n\"\n\" o";
        let words: Vec<_> = tokens(&blank(text))
            .into_iter()
            .map(|token| format!("{}{}", token.text, token.line))
            .collect();
        assert_eq!(words, ["a1", "e1", "&2", "'2", "m2", "n2", "o4"]);
    }

    #[test]
    fn floats_are_one_token_and_tuple_fields_and_ranges_are_not() {
        let words: Vec<_> = tokens("x.0.1 + 1.5 + 0..9").into_iter().map(|t| t.text).collect();
        assert_eq!(words, ["x", ".", "0", ".", "1", "+", "1.5", "+", "0", ".", ".", "9"]);
    }

    #[test]
    fn test_code_is_known_by_its_attribute_and_by_its_file() {
        let file = File::new("src/a.rs", "fn f() {}\n#[cfg(test)]\nmod t {\n}\nfn g() {}");
        assert_eq!(file.test_lines, BTreeSet::from([2, 3, 4]));
        let file = File::new("src/a.rs", "#[cfg(not(test))]\nfn f() {}");
        assert!(file.test_lines.is_empty());
        let mut files = [
            File::new("src/a/mod.rs", "#[cfg(test)]\nmod model;\nmod real;"),
            File::new("src/a/model.rs", "fn f() {}"),
            File::new("src/a/real.rs", "fn f() {}"),
        ];
        mark_test_modules(&mut files);
        assert!(files[1].test_lines.contains(&1));
        assert!(files[2].test_lines.is_empty());
    }
}
