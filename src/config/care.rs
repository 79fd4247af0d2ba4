//! The section `care`, checked: the templates of drafts, their language, and what may be shown.
//!
//! Invariant: templates that the linter refuses are mistakes of the configuration, each with its
//! file, line and column.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checked::Checker;
use super::errors::{Mistake, Origin, closest};
use super::layers;
use super::raw::{DraftLanguage, RawCare};
use crate::advice::Language;
use crate::advice::drafts::{Kind, Stated, Templates};

/// The largest file of a template, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// What is drafted for those who look after customers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CareConfig {
    /// The templates of drafts.
    pub templates: Arc<Templates>,
    /// The directory of those that are not built in, as it is stated.
    pub templates_path: Option<String>,
    /// The language of drafts where the marketplace's is not known.
    pub language: Language,
    /// Whether what buyers wrote may be shown.
    pub show_comments: bool,
}

pub(super) fn care(raw: RawCare, checker: &mut Checker<'_>) -> CareConfig {
    let templates = raw.templates.as_deref().and_then(|path| templates(path, checker));
    CareConfig {
        templates: Arc::new(templates.unwrap_or_else(|| Templates::defaults().clone())),
        templates_path: raw.templates,
        language: match raw.language {
            DraftLanguage::En => Language::En,
            DraftLanguage::De => Language::De,
            DraftLanguage::Fr => Language::Fr,
            DraftLanguage::Es => Language::Es,
            DraftLanguage::It => Language::It,
            DraftLanguage::Pt => Language::Pt,
            DraftLanguage::Ja => Language::Ja,
        },
        show_comments: raw.show_comments,
    }
}

/// The templates of a directory over the built-in ones; mistakes go to the checker.
fn templates(stated: &str, checker: &mut Checker<'_>) -> Option<Templates> {
    let directory = match checker.merged.origin("care.templates") {
        Origin::File { path: from, .. } => layers::beside(&from, stated),
        _ => stated.into(),
    };
    let found = match Found::all(&directory) {
        Ok(found) => found,
        Err(problem) => {
            let problem = format!("names {}, which {problem}", directory.display());
            checker.mistake("care.templates", &problem, Some("a directory with templates"), None);
            return None;
        }
    };
    checker.mistakes.extend(found.mistakes);
    if found.files.is_empty() {
        let problem = format!("names {}, which has no template", directory.display());
        let allowed = "LANGUAGE/KIND.txt such as en/follow_up.txt, as in config/templates";
        checker.mistake("care.templates", &problem, Some(allowed), None);
    }
    let (paths, stated): (Vec<PathBuf>, Vec<Stated>) = found.files.into_iter().unzip();
    match Templates::with(&stated) {
        Ok(templates) => Some(templates),
        Err(mistakes) => {
            checker.mistakes.extend(mistakes.into_iter().map(|(file, mistake)| {
                let at = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
                let origin = Origin::File {
                    path: paths[file].display().to_string(),
                    line: at(mistake.line),
                    column: at(mistake.column),
                };
                let mut told = Mistake::new(origin, "", mistake.problem);
                told.allowed = mistake.allowed;
                told
            }));
            None
        }
    }
}

/// What a directory has.
#[derive(Default)]
struct Found {
    files: Vec<(PathBuf, Stated)>,
    mistakes: Vec<Mistake>,
}

impl Found {
    fn all(directory: &Path) -> Result<Self, String> {
        let mut found = Self::default();
        for path in names(directory)? {
            let name = name_of(&path);
            if !path.is_dir() {
                if is_template(&path) {
                    let problem = "is in no directory of a language";
                    found.wrong(&path, problem.to_owned(), languages(), None);
                }
                continue;
            }
            let known = Language::ALL.into_iter().find(|language| language.as_str() == name);
            if let Some(language) = known {
                found.language(&path, language);
            } else {
                let problem = "is a directory of no language".to_owned();
                let hint = closest(&name, Language::ALL.map(Language::as_str));
                found.wrong(&path, problem, languages(), hint);
            }
        }
        Ok(found)
    }

    fn language(&mut self, directory: &Path, language: Language) {
        let paths = match names(directory) {
            Ok(paths) => paths,
            Err(problem) => return self.wrong(directory, problem, languages(), None),
        };
        for path in paths.into_iter().filter(|path| is_template(path)) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let known = Kind::ALL.into_iter().find(|kind| kind.as_str() == name);
            let Some(kind) = known else {
                let kinds = Kind::ALL.map(|kind| format!("{}.txt", kind.as_str())).join(", ");
                let hint = closest(&name, Kind::ALL.map(Kind::as_str));
                self.wrong(&path, "is no template".to_owned(), kinds, hint);
                continue;
            };
            match text(&path) {
                Ok(text) => self.files.push((path, Stated { language, kind, text })),
                Err(problem) => {
                    let most = format!("a text of at most {MAX_FILE_BYTES} bytes");
                    self.wrong(&path, problem, most, None);
                }
            }
        }
    }

    fn wrong(&mut self, path: &Path, problem: String, allowed: String, hint: Option<&str>) {
        let origin = Origin::File { path: path.display().to_string(), line: 0, column: 0 };
        let hint = hint.map(|hint| format!("did you mean {hint}?"));
        self.mistakes.push(Mistake::new(origin, "", problem).allowing(allowed).hinting(hint));
    }
}

fn languages() -> String {
    Language::ALL.map(Language::as_str).join(", ")
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_template(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "txt")
}

/// What a directory has, in the order of names; hidden names are passed over.
fn names(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if !name_of(&path).starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn text(path: &Path) -> Result<String, String> {
    let length = fs::metadata(path).map_or(0, |metadata| metadata.len());
    if length > MAX_FILE_BYTES {
        return Err(format!("has {length} bytes"));
    }
    layers::read(path)
}
