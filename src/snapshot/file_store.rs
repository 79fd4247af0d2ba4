//! Snapshots in a directory: `DIRECTORY/GROUP/SHARD/NUMBER.odrsnap`.
//!
//! ```text
//! lock the shard ─> temporary file ─> fsync ─> rename ─> fsync of the directory ─> unlock
//! ```
//!
//! Invariants: under its name a snapshot is whole or it is not there; directories are for their
//! owner only (0700), files too (0600); no symbolic link is followed to a file. Absent on purpose:
//! any clean-up of what has another name than ours.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::domain::ids::ShardNo;
use crate::pipeline::ports::{SnapshotStore, StoreError};

/// How names of snapshots end.
const SUFFIX: &str = ".odrsnap";

/// How names of files begin that are being written.
const TEMPORARY: &str = ".writing-";

/// A directory of snapshots.
#[derive(Clone, Debug)]
pub struct FileStore {
    /// With the group's name.
    directory: PathBuf,
}

impl FileStore {
    /// A store in a directory, which is made if it is not there.
    ///
    /// # Errors
    /// It cannot be made or written to.
    pub fn open(directory: &Path, group: &str) -> Result<Self, StoreError> {
        let directory = directory.join(group);
        make_directory(&directory)?;
        let store = Self { directory };
        // A directory that cannot be written to is better known now than in a minute.
        lock_file(&store.directory)?;
        Ok(store)
    }

    fn of(&self, shard: ShardNo) -> PathBuf {
        self.directory.join(shard.to_string())
    }

    fn path(&self, shard: ShardNo, number: u64) -> PathBuf {
        self.of(shard).join(format!("{number:020}{SUFFIX}"))
    }
}

impl SnapshotStore for FileStore {
    fn list(&mut self, shard: ShardNo) -> Result<Vec<u64>, StoreError> {
        let directory = self.of(shard);
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(store_error(&error, "reading", &directory)),
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| store_error(&error, "reading", &directory))?;
            numbers.extend(entry.file_name().to_str().and_then(number_of));
        }
        Ok(numbers)
    }

    fn read(&mut self, shard: ShardNo, number: u64) -> Result<Vec<u8>, StoreError> {
        let path = self.path(shard, number);
        let mut bytes = Vec::new();
        OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
            .and_then(|mut file| io::copy(&mut file, &mut bytes))
            .map_err(|error| store_error(&error, "reading", &path))?;
        Ok(bytes)
    }

    fn write(&mut self, shard: ShardNo, number: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let directory = self.of(shard);
        make_directory(&directory)?;
        let _lock = lock(&directory)?;
        remove_temporary(&directory)?;
        let temporary = directory.join(format!("{TEMPORARY}{number:020}"));
        let path = self.path(shard, number);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&temporary)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                outlast(&file)
            })
            .and_then(|()| fs::rename(&temporary, &path));
        if let Err(error) = written {
            // It may be what fills the disk; that it is gone matters less than why.
            let _ = fs::remove_file(&temporary);
            return Err(store_error(&error, "writing", &path));
        }
        sync(&directory)
    }

    fn remove(&mut self, shard: ShardNo, number: u64) -> Result<(), StoreError> {
        let directory = self.of(shard);
        let _lock = lock(&directory)?;
        let path = self.path(shard, number);
        match fs::remove_file(&path) {
            Ok(()) => sync(&directory),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(store_error(&error, "removing", &path)),
        }
    }
}

fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let is_number = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

/// What a writer left that was killed.
fn remove_temporary(directory: &Path) -> Result<(), StoreError> {
    let entries = fs::read_dir(directory);
    for entry in entries.map_err(|error| store_error(&error, "reading", directory))? {
        let entry = entry.map_err(|error| store_error(&error, "reading", directory))?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(TEMPORARY)) {
            let removed = fs::remove_file(entry.path());
            removed.map_err(|error| store_error(&error, "removing", &entry.path()))?;
        }
    }
    Ok(())
}

fn make_directory(directory: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| store_error(&error, "making", directory))
}

/// The file that a directory is locked by.
fn lock_file(directory: &Path) -> Result<(PathBuf, File), StoreError> {
    let path = directory.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&path)
        .map_err(|error| store_error(&error, "opening", &path))?;
    Ok((path, file))
}

/// Locks a directory against other processes until the file is dropped.
fn lock(directory: &Path) -> Result<File, StoreError> {
    let (path, file) = lock_file(directory)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::Failed(format!("another process has locked {}", path.display())))
        }
        Err(TryLockError::Error(error)) => Err(store_error(&error, "locking", &path)),
    }
}

/// Makes what was written to a file, or the names in a directory, outlast a crash.
fn outlast(file: &File) -> io::Result<()> {
    #[cfg(test)]
    tests::note(file);
    file.sync_all()
}

/// Makes names outlast a crash.
fn sync(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|directory| outlast(&directory))
        .map_err(|error| store_error(&error, "syncing", directory))
}

fn store_error(error: &io::Error, doing: &str, path: &Path) -> StoreError {
    let words = format!("{doing} {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StoreError::Full(words)
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::Refused(words)
        }
        _ => StoreError::Failed(words),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    const SHARD: ShardNo = ShardNo::new(3);

    /// What was made to outlast a crash: inodes and sizes.
    type Synced = Vec<(u64, u64)>;

    thread_local! {
        static SYNCED: RefCell<Synced> = const { RefCell::new(Vec::new()) };
    }

    /// Notes that a file is about to be made to outlast a crash.
    pub(super) fn note(file: &File) {
        let about = file.metadata().unwrap();
        SYNCED.with_borrow_mut(|synced| synced.push((about.ino(), about.size())));
    }

    #[test]
    fn a_snapshot_outlasts_a_crash_before_it_has_its_name_and_its_name_before_it_counts() {
        let place = tempfile::tempdir().unwrap();
        let mut store = FileStore::open(place.path(), "group").unwrap();
        let directory = place.path().join("group/3");
        store.write(SHARD, 7, b"seven").unwrap();
        let inode = |path: &Path| fs::metadata(path).unwrap().ino();
        let (file, directory) =
            (inode(&directory.join("00000000000000000007.odrsnap")), inode(&directory));
        let synced = SYNCED.take();
        assert_eq!(synced.len(), 2, "{synced:?}");
        assert_eq!(synced[0], (file, 5), "the whole file comes first");
        assert_eq!(synced[1].0, directory, "and its name behind it");
        store.remove(SHARD, 7).unwrap();
        let synced: Vec<u64> = SYNCED.take().iter().map(|(inode, _)| *inode).collect();
        assert_eq!(synced, [directory], "what was removed does not come back");
    }

    #[test]
    fn what_is_written_is_read_back_and_what_is_removed_is_gone() {
        let place = tempfile::tempdir().unwrap();
        let mut store = FileStore::open(&place.path().join("deep/er"), "group").unwrap();
        assert_eq!(store.list(SHARD), Ok(Vec::new()));
        store.write(SHARD, 7, b"seven").unwrap();
        store.write(SHARD, 12, b"twelve").unwrap();
        store.write(SHARD, 7, b"seven again").unwrap();
        store.write(ShardNo::new(4), 1, b"another shard's").unwrap();
        let mut numbers = store.list(SHARD).unwrap();
        numbers.sort_unstable();
        assert_eq!(numbers, [7, 12]);
        assert_eq!(store.read(SHARD, 7).unwrap(), b"seven again");
        store.remove(SHARD, 7).unwrap();
        store.remove(SHARD, 7).unwrap();
        assert_eq!(store.list(SHARD), Ok(vec![12]));
        assert!(store.read(SHARD, 7).is_err());
    }

    #[test]
    fn only_the_owner_may_look() {
        let place = tempfile::tempdir().unwrap();
        let mut store = FileStore::open(&place.path().join("snapshots"), "group").unwrap();
        store.write(SHARD, 7, b"seven").unwrap();
        for (path, mode) in [
            ("snapshots", 0o700),
            ("snapshots/group", 0o700),
            ("snapshots/group/3", 0o700),
            ("snapshots/group/3/lock", 0o600),
            ("snapshots/group/3/00000000000000000007.odrsnap", 0o600),
        ] {
            let found = fs::metadata(place.path().join(path)).unwrap().mode() & 0o777;
            assert_eq!(found, mode, "{path}");
        }
    }

    #[test]
    fn what_a_killed_writer_left_is_no_snapshot_and_goes_with_the_next_one() {
        let place = tempfile::tempdir().unwrap();
        let mut store = FileStore::open(place.path(), "group").unwrap();
        store.write(SHARD, 7, b"seven").unwrap();
        let left = place.path().join("group/3/.writing-00000000000000000009");
        fs::write(&left, b"ni").unwrap();
        fs::write(place.path().join("group/3/notes.txt"), b"mine").unwrap();
        assert_eq!(store.list(SHARD), Ok(vec![7]));
        store.write(SHARD, 10, b"ten").unwrap();
        assert!(!left.exists());
        assert!(place.path().join("group/3/notes.txt").exists());
    }

    #[test]
    fn one_writer_at_a_time_and_no_way_through_a_link() {
        let place = tempfile::tempdir().unwrap();
        let mut store = FileStore::open(place.path(), "group").unwrap();
        store.write(SHARD, 7, b"seven").unwrap();
        let held = lock(&place.path().join("group/3")).unwrap();
        let error = store.write(SHARD, 8, b"eight").unwrap_err().to_string();
        assert!(error.contains("another process has locked"), "{error}");
        drop(held);
        let elsewhere = place.path().join("elsewhere");
        fs::write(&elsewhere, b"secret").unwrap();
        let link = place.path().join("group/3/00000000000000000009.odrsnap");
        symlink(&elsewhere, &link).unwrap();
        assert!(store.read(SHARD, 9).is_err());
        store.write(SHARD, 9, b"nine").unwrap();
        assert_eq!(store.read(SHARD, 9).unwrap(), b"nine");
        assert_eq!(fs::read(&elsewhere).unwrap(), b"secret");
    }

    #[test]
    fn a_place_that_cannot_be_used_is_refused_at_once() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, b"").unwrap();
        let error = FileStore::open(&file, "group").unwrap_err().to_string();
        assert!(error.contains("making") && error.contains("file/group"), "{error}");
    }
}
