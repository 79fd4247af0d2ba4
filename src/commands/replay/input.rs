//! The files that a replay reads: regular ones as they are, pipes once or by way of a spool.
//!
//! Invariant: a spool has no name from the start, so that nothing of it is left behind, however
//! the process ends; only its owner could ever open it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::commands::exit::ExitCode;
use crate::commands::failure::{Failure, FileError};

/// A file of records.
pub struct Input {
    /// The name that it is called by.
    pub name: String,
    source: Source,
}

enum Source {
    /// Can be read twice.
    File(File),
    /// Can be read once.
    Stream(Box<dyn Read>),
}

impl Input {
    /// Opens all files of a command line, of which `-` is the standard input.
    ///
    /// # Errors
    /// 69 for one that cannot be opened; 64 if the standard input is named twice.
    pub fn open_all(paths: &[impl AsRef<Path>]) -> Result<Vec<Self>, Failure> {
        let is_standard = |path: &&Path| path.as_os_str() == "-";
        if paths.iter().map(AsRef::as_ref).filter(is_standard).count() > 1 {
            let problem = "the standard input (-) is given more than once";
            return Err(Failure::new(ExitCode::Usage, problem));
        }
        paths.iter().map(|path| Self::open(path.as_ref())).collect()
    }

    fn open(path: &Path) -> Result<Self, Failure> {
        if path.as_os_str() == "-" {
            let source = Source::Stream(Box::new(io::stdin()));
            return Ok(Self { name: "standard input".to_owned(), source });
        }
        let unreadable = |error| FileError::failure("read", path, error);
        let file = File::open(path).map_err(unreadable)?;
        let kind = file.metadata().map_err(unreadable)?.file_type();
        if kind.is_dir() {
            return Err(unreadable(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        let source =
            if kind.is_file() { Source::File(file) } else { Source::Stream(Box::new(file)) };
        Ok(Self { name: path.display().to_string(), source })
    }

    /// How many bytes it has, where that is known.
    pub fn bytes(&self) -> Option<u64> {
        match &self.source {
            Source::File(file) => file.metadata().ok().map(|known| known.len()),
            Source::Stream(_) => None,
        }
    }

    /// Gives the content for a first look, after which it is read from its beginning again.
    ///
    /// # Errors
    /// 69 where it cannot be spooled.
    pub fn first_look(&mut self) -> Result<&File, Failure> {
        if let Source::Stream(stream) = &mut self.source {
            let spool = spooled(stream.as_mut()).map_err(|error| {
                let directory = std::env::temp_dir();
                FileError::failure("spool to", &directory, error).during(self.name.clone())
            })?;
            self.source = Source::File(spool);
        }
        match &self.source {
            Source::File(file) => Ok(file),
            Source::Stream(_) => unreachable!("a stream was just spooled"),
        }
    }

    /// The content from its beginning.
    ///
    /// # Errors
    /// 69 where that cannot be reached again.
    pub fn into_reader(self) -> Result<Box<dyn Read>, Failure> {
        match self.source {
            Source::Stream(stream) => Ok(stream),
            Source::File(mut file) => {
                file.rewind()
                    .map_err(|error| FileError::failure("read", Path::new(&self.name), error))?;
                Ok(Box::new(file))
            }
        }
    }
}

/// Copies a stream to a file without a name.
fn spooled(stream: &mut dyn Read) -> io::Result<File> {
    let mut file = nameless_file(&std::env::temp_dir())?;
    io::copy(stream, &mut file)?;
    file.rewind()?;
    Ok(file)
}

fn nameless_file(directory: &Path) -> io::Result<File> {
    /// Other processes may leave names behind, but hardly so many with our number.
    const ATTEMPTS: u32 = 100;
    let mut taken = None;
    for attempt in 0..ATTEMPTS {
        let path = directory.join(format!(".odrwatch-{}-{attempt}", std::process::id()));
        let open =
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        match open {
            Ok(file) => {
                fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(taken.expect("at least one attempt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_has_the_content_and_no_name() {
        let mut stream: &[u8] = b"some text";
        let mut file = spooled(&mut stream).unwrap();
        let mut content = Vec::new();
        io::copy(&mut file, &mut content).unwrap();
        assert_eq!(content, b"some text");
        let mine = format!(".odrwatch-{}-", std::process::id());
        let left = fs::read_dir(std::env::temp_dir()).unwrap().filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().starts_with(&mine)
        });
        assert_eq!(left.count(), 0);
    }
}
