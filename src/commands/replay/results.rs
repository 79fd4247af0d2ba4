//! The files of a replay.
//!
//! Invariant: a file under its name is whole: it is written under another and then renamed. What
//! was there before is replaced.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::commands::failure::{Failure, FileError};
use crate::pipeline::replay::Output;

/// Makes the directory, before the work that is to end in it.
///
/// # Errors
/// 69 where that is not possible.
pub fn prepare(directory: &Path) -> Result<(), Failure> {
    fs::create_dir_all(directory).map_err(|error| FileError::failure("make", directory, error))
}

/// Writes the files.
///
/// # Errors
/// 69 where that is not possible.
pub fn write(directory: &Path, output: &Output) -> Result<(), Failure> {
    let files = [
        ("alerts.jsonl", &output.alerts),
        ("advice.jsonl", &output.advice),
        ("totals.jsonl", &output.totals),
        ("dead.jsonl", &output.dead),
        ("outcomes.json", &output.outcomes),
    ];
    let mut written = Vec::new();
    for (name, content) in files {
        let file = Unfinished {
            path: directory.join(format!(".{name}.{}", std::process::id())),
            name: directory.join(name),
        };
        let result = file.write(content);
        result.map_err(|error| FileError::failure("write", &file.path, error))?;
        written.push(file);
    }
    for file in written {
        fs::rename(&file.path, &file.name)
            .map_err(|error| FileError::failure("write", &file.name, error))?;
    }
    Ok(())
}

/// A file under a passing name, which goes away unless it was renamed.
struct Unfinished {
    path: PathBuf,
    name: PathBuf,
}

impl Unfinished {
    fn write(&self, content: &[u8]) -> io::Result<()> {
        let mut file = File::create(&self.path)?;
        file.write_all(content)?;
        file.sync_all()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After the renaming there is nothing under this name.
        let _ = fs::remove_file(&self.path);
    }
}
