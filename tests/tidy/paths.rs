//! The paths that a source file names, `use` groups expanded, as seen from the crate's root.

use super::scan::{File, Token};

/// A path as it is written, `use` groups expanded, with the module that it is written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathUse {
    pub line: usize,
    pub segments: Vec<String>,
    /// The module that it is written in, from the crate's root.
    pub module: Vec<String>,
}

impl PathUse {
    /// The path from this crate's root; `None` for paths into other crates or to local names.
    pub fn in_crate(&self) -> Option<Vec<String>> {
        let supers = self.segments.iter().take_while(|part| *part == "super").count();
        let (mut base, rest) = match self.segments[0].as_str() {
            "crate" | "odrwatch" => (Vec::new(), &self.segments[1..]),
            "self" => (self.module.clone(), &self.segments[1..]),
            "super" => {
                let kept = self.module.len().checked_sub(supers)?;
                (self.module[..kept].to_vec(), &self.segments[supers..])
            }
            _ => return None,
        };
        base.extend_from_slice(rest);
        Some(base)
    }
}

/// All paths of a file.
pub fn paths(file: &File) -> Vec<PathUse> {
    let tokens = &file.tokens;
    let mut out = Vec::new();
    let mut module = file.module();
    // For each brace that is open: whether it is the body of an inline module.
    let mut braces: Vec<bool> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            "{" => {
                let is_module = at >= 2 && tokens[at - 2].text == "mod";
                if is_module {
                    module.push(tokens[at - 1].text.clone());
                }
                braces.push(is_module);
            }
            "}" if braces.pop() == Some(true) => {
                module.pop();
            }
            text if starts_word(text) && tokens.get(at + 1).is_some_and(is_colons) => {
                at = read_path(tokens, at, &module, &mut out);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    out
}

fn starts_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn is_colons(token: &Token) -> bool {
    token.text == "::"
}

/// Reads the path that starts at `at`, groups and all; returns the index behind it.
fn read_path(tokens: &[Token], at: usize, module: &[String], out: &mut Vec<PathUse>) -> usize {
    let mut prefixes: Vec<Vec<String>> = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut place = at;
    let mut line = tokens[at].line;
    let mut emit = |path: &[String], line: usize| {
        if !path.is_empty() {
            out.push(PathUse { line, segments: path.to_vec(), module: module.to_vec() });
        }
    };
    while let Some(token) = tokens.get(place) {
        let after_colons = place > at && is_colons(&tokens[place - 1]);
        match token.text.as_str() {
            "::" => {}
            "{" if after_colons => prefixes.push(std::mem::take(&mut path)),
            "," | "}" if !prefixes.is_empty() => {
                let prefix = prefixes.concat();
                if !path.is_empty() {
                    emit(&[prefix, std::mem::take(&mut path)].concat(), line);
                }
                if token.text == "}" {
                    prefixes.pop();
                    if prefixes.is_empty() {
                        return place + 1;
                    }
                }
            }
            "as" if !prefixes.is_empty() => place += 1,
            text if starts_word(text) || text == "*" => {
                if !after_colons && prefixes.is_empty() && place > at {
                    break;
                }
                line = token.line;
                path.push(text.to_owned());
            }
            _ => break,
        }
        place += 1;
    }
    emit(&[prefixes.concat(), path].concat(), line);
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_texts(path: &str, text: &str) -> Vec<String> {
        let file = File::new(path, text);
        paths(&file).iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn use_groups_are_expanded() {
        let text = "use crate::{a::{B, c as d}, e};\nuse std::io;\nfn f() { x::y::<T>(g::h); }";
        let found = path_texts("src/lib.rs", text);
        assert_eq!(found, ["crate::a::B", "crate::a::c", "crate::e", "std::io", "x::y", "g::h"]);
    }

    #[test]
    fn supers_are_resolved_through_inline_modules() {
        let text = "use super::x::Y;\nmod tests { use super::*; use super::super::z::W; }";
        let file = File::new("src/a/b.rs", text);
        let found: Vec<_> =
            paths(&file).iter().map(|path| path.in_crate().unwrap().join("::")).collect();
        assert_eq!(found, ["a::x::Y", "a::b::*", "a::z::W"]);
        let file = File::new("src/a/mod.rs", "use super::c::D;");
        assert_eq!(paths(&file)[0].in_crate().unwrap(), ["c", "D"]);
    }
}
