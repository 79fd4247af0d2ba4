//! Rules on documents: links lead somewhere, commands exist, the change log is open.

use std::collections::BTreeSet;

use super::scan::{File, Finding};

/// Relative links of documents lead to files that exist, and to headings that exist.
pub fn links(files: &[File], exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (line, target) in link_targets(file) {
            let (path, anchor) = target.split_once('#').unwrap_or((target.as_str(), ""));
            let full = if path.is_empty() { file.path.clone() } else { resolve(&file.path, path) };
            if !exists(&full) {
                let message = format!("the link `{target}` leads nowhere: there is no {full}");
                found.push(file.finding(line, message));
                continue;
            }
            let there = files.iter().find(|other| other.path == full);
            let has_anchor = |there: &File| headings(there).contains(anchor);
            if !anchor.is_empty() && there.is_some_and(|there| !has_anchor(there)) {
                let message = format!("the link `{target}`: {full} has no heading `#{anchor}`");
                found.push(file.finding(line, message));
            }
        }
    }
    found
}

/// Every `make <target>` that the README shows is a target of the Makefile.
pub fn readme_commands(readme: &File, makefile: &File) -> Vec<Finding> {
    let targets: BTreeSet<&str> = makefile
        .text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .flat_map(|(names, _)| names.split_whitespace())
        .collect();
    let mut found = Vec::new();
    for (line, code) in code_of(readme) {
        let mut words = code.split_whitespace().skip_while(|word| *word != "make").skip(1);
        let is_target = |word: &&str| !word.starts_with('-') && !word.contains('=');
        if let Some(target) = words.find(is_target).filter(|target| !targets.contains(target)) {
            let message = format!("the Makefile has no target `{target}`");
            found.push(readme.finding(line, message));
        }
    }
    found
}

/// The change log has a section for what is not released.
pub fn changelog(files: &[File]) -> Vec<Finding> {
    let log = files.iter().find(|file| file.path == "CHANGELOG.md");
    let is_open = |log: &File| log.text.lines().any(|line| line.starts_with("## [Unreleased]"));
    match log {
        Some(log) if is_open(log) => Vec::new(),
        Some(log) => vec![log.finding(1, "add the section `## [Unreleased]`")],
        None => vec![Finding {
            path: "CHANGELOG.md".to_owned(),
            line: 1,
            message: "write it, with the section `## [Unreleased]`".to_owned(),
        }],
    }
}

/// The lines outside fenced code.
fn prose(file: &File) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (line, text) in file.lines() {
        if text.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((line, text));
        }
    }
    lines
}

/// Targets of Markdown links that are relative.
fn link_targets(file: &File) -> Vec<(usize, String)> {
    let mut targets = Vec::new();
    for (line, text) in prose(file) {
        for part in text.split("](").skip(1) {
            let target = part.split([')', ' ']).next().unwrap_or("");
            let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
            if !is_elsewhere && !target.is_empty() {
                targets.push((line, target.to_owned()));
            }
        }
    }
    targets
}

/// The path that a link in a document means.
fn resolve(from: &str, link: &str) -> String {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let start = if link.starts_with('/') { "" } else { folder };
    let mut parts: Vec<&str> = start.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// The anchors of a document's headings, as the usual renderers make them.
fn headings(file: &File) -> BTreeSet<String> {
    prose(file)
        .into_iter()
        .filter(|(_, text)| text.starts_with('#'))
        .map(|(_, text)| {
            let title = text.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// Lines of fenced code and pieces of inline code.
fn code_of(file: &File) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut code = Vec::new();
    for (line, text) in file.lines() {
        if text.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            code.push((line, text.to_owned()));
        } else {
            let inline = text.split('`').skip(1).step_by(2);
            code.extend(inline.map(|piece| (line, piece.to_owned())));
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let text = "# A b, `c`\n[x](b.md) [y](../README.md#top) [z](#a-b-c) [w](https://x.y/z.md)\n\
                    [v](gone.md)\n[u](#no)\n```\n[in code](gone.md)\n```\n[t](adr/)";
        let files = [
            File::new("docs/a.md", text),
            File::new("docs/b.md", ""),
            File::new("README.md", "# Top"),
        ];
        let exists = |path: &str| path == "docs/adr" || files.iter().any(|f| f.path == path);
        let found = links(&files, exists);
        let lines: Vec<_> = found.iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [3, 4], "{found:?}");
    }

    #[test]
    fn commands_without_a_target_are_found() {
        let makefile = File::new("Makefile", ".PHONY: demo test\ndemo test: x\n\techo\n");
        let text =
            "Run `make demo` or\n```\nmake test FOO=1\n$ make -j2 bench\n```\nmake gone is prose";
        let found = readme_commands(&File::new("README.md", text), &makefile);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].line, 4);
        assert!(found[0].message.contains("`bench`"));
    }

    #[test]
    fn a_closed_or_missing_change_log_is_found() {
        assert_eq!(changelog(&[]).len(), 1);
        assert_eq!(changelog(&[File::new("CHANGELOG.md", "## [1.0.0]\n")]).len(), 1);
        assert_eq!(changelog(&[File::new("CHANGELOG.md", "## [Unreleased]\n")]), []);
    }
}
