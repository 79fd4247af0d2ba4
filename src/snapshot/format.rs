//! What a snapshot looks like, version 2. Version 1 knew no notes and no first events of defects,
//! and is the same in all else.
//!
//! ```text
//! "odrsnap\n"  version  | header length, header (JSON), its checksum
//!                       | kind, packing, length, packed length, bytes, their checksum   (blocks)
//!                       | 0, number of blocks, checksum of everything before            (end)
//! ```
//!
//! Numbers are little-endian; a checksum is 128 bits of XXH3. The header says whose state it is
//! and holds the progress record that was committed with it, so that a snapshot explains itself.
//!
//! Invariants: one changed, missing or additional byte anywhere is found before any of the content
//! is used; what was ever written is read for ever (`tests/data/snapshot.v1`, `.v2`). Absent on
//! purpose: protection against somebody who writes checksums anew: whoever can do that can do
//! worse.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_128;

use crate::domain::ids::{Offset, ShardNo};
use crate::domain::image::{BlockKind, Builder, Image, ImageError};
use crate::domain::shard::{Shard, ShardConfig};
use crate::wire::progress::{self, Progress, ProgressError};

const MAGIC: &[u8; 8] = b"odrsnap\n";

/// The version that is written, and the newest that is read.
const VERSION: u16 = 2;

/// The kind of the end, which is none of a block's.
const END: u8 = 0;

/// How hard to pack: more saves next to nothing, since order ids are noise (docs/adr/0020).
const LEVEL: i32 = 1;

/// Bytes of a checksum.
const SUM: usize = 16;

/// Whose state a snapshot holds, and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The consumer group.
    pub group: String,
    /// The cluster and its topics.
    pub cluster: String,
    /// The progress record that was committed with this state. Its decisions are those that its
    /// positions do not cover yet.
    pub progress: Progress,
    /// The offset of that record in the progress partition, where known.
    pub progress_at: Option<Offset>,
}

#[derive(Serialize, Deserialize)]
struct RawHeader<'a> {
    group: String,
    cluster: String,
    progress_offset: Option<i64>,
    #[serde(borrow)]
    progress: &'a RawValue,
}

/// Why a snapshot is not used.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is something else.
    #[error("it is no snapshot: it does not begin like one")]
    NoSnapshot,
    /// It was written by a newer program.
    #[error("it has format version {found}, and this program reads up to {VERSION}")]
    NewerVersion {
        /// Its version.
        found: u16,
    },
    /// It is torn, cut, or changed.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It belongs to something else.
    #[error("it is of {what} {found}, and not of {expected}")]
    Foreign {
        /// What differs.
        what: &'static str,
        /// What it has.
        found: String,
        /// What it should have.
        expected: String,
    },
    /// It is further than what is committed.
    #[error("it was taken at progress record {found}, and the last one committed is {committed}")]
    Ahead {
        /// Its progress number.
        found: u64,
        /// The committed one.
        committed: u64,
    },
    /// It was computed otherwise.
    #[error("it was computed with {what} {found}, and this is {expected}")]
    Otherwise {
        /// What differs.
        what: &'static str,
        /// What it has.
        found: String,
        /// What it should have.
        expected: String,
    },
    /// Its blocks are no image of a shard.
    #[error(transparent)]
    Image(#[from] ImageError),
}

fn damaged(what: impl Into<String>) -> Refused {
    Refused::Damaged(what.into())
}

/// What a snapshot must be to be used.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The consumer group.
    pub group: String,
    /// The cluster and its topics.
    pub cluster: String,
    /// The policy's fingerprint.
    pub policy: String,
    /// The shard.
    pub shard: ShardNo,
    /// The number of the last progress record committed.
    pub committed: u64,
}

impl Expected {
    /// Whether a header is of what is expected.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, header: &Header) -> Result<(), Refused> {
        let progress = &header.progress;
        for (what, found, expected) in [
            ("group", &header.group, &self.group),
            ("cluster", &header.cluster, &self.cluster),
            ("shard", &progress.shard.to_string(), &self.shard.to_string()),
        ] {
            if found != expected {
                let (found, expected) = (found.clone(), expected.clone());
                return Err(Refused::Foreign { what, found, expected });
            }
        }
        for (what, found, expected) in [
            ("engine", progress.engine.as_str(), progress::ENGINE),
            ("policy", &progress.policy, &self.policy),
        ] {
            if found != expected {
                let (found, expected) = (found.to_owned(), expected.to_owned());
                return Err(Refused::Otherwise { what, found, expected });
            }
        }
        if progress.number > self.committed {
            let (found, committed) = (progress.number, self.committed);
            return Err(Refused::Ahead { found, committed });
        }
        Ok(())
    }
}

/// Writes a snapshot.
#[must_use]
pub fn write(header: &Header, image: Image) -> Vec<u8> {
    let mut out = Vec::with_capacity(image.orders() * 14 + 4096);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    let json = write_header(header);
    put_length(&mut out, json.len());
    out.extend_from_slice(&json);
    let sum = xxh3_128(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    let mut blocks = 0_u32;
    image.write(&mut |kind, block| {
        write_block(kind, block, &mut out);
        blocks += 1;
    });
    out.push(END);
    out.extend_from_slice(&blocks.to_le_bytes());
    let sum = xxh3_128(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

fn write_header(header: &Header) -> Vec<u8> {
    let mut progress = Vec::new();
    progress::write_value(&header.progress, &mut progress);
    let progress = String::from_utf8(progress).expect("JSON is UTF-8");
    let progress = RawValue::from_string(progress).expect("a progress record is JSON");
    let raw = RawHeader {
        group: header.group.clone(),
        cluster: header.cluster.clone(),
        progress_offset: header.progress_at.map(Offset::get),
        progress: &progress,
    };
    serde_json::to_vec(&raw).expect("texts and numbers are JSON")
}

fn write_block(kind: BlockKind, block: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let packed =
        zstd::bulk::compress(block, LEVEL).ok().filter(|packed| packed.len() < block.len());
    let stored = packed.as_deref().unwrap_or(block);
    out.extend_from_slice(&[kind.code(), u8::from(packed.is_some())]);
    put_length(out, block.len());
    put_length(out, stored.len());
    out.extend_from_slice(stored);
    let sum = xxh3_128(&out[start..]);
    out.extend_from_slice(&sum.to_le_bytes());
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).expect("a block is far below 4 GiB");
    out.extend_from_slice(&length.to_le_bytes());
}

/// Reads the header of a snapshot that may be incomplete behind it.
///
/// # Errors
/// Why it is not used.
pub fn read_header(snapshot: &[u8]) -> Result<Header, Refused> {
    Reader::begin(snapshot).map(|(header, _)| header)
}

/// Reads a snapshot and builds its shard, if it is what is expected. Nothing is built before all
/// checksums agree.
///
/// # Errors
/// Why it is not used.
pub fn read(
    snapshot: &[u8],
    expected: &Expected,
    config: ShardConfig,
) -> Result<(Header, Shard), Refused> {
    let (header, mut reader) = Reader::begin(snapshot)?;
    let whole = snapshot.len().checked_sub(SUM).map(|end| snapshot.split_at(end));
    let is_whole = whole.is_some_and(|(all, sum)| xxh3_128(all).to_le_bytes() == sum);
    if !is_whole {
        return Err(reader.locate_damage());
    }
    expected.check(&header)?;
    let mut builder = Builder::new(config);
    let mut unpacked = Vec::new();
    while let Some(block) = reader.block()? {
        builder.take(block.kind, block.unpack(&mut unpacked)?)?;
    }
    let shard = builder.finish()?;
    let (positions, progress) = (shard.positions(), &header.progress);
    let agrees = shard.digest() == progress.digest
        && shard.seq() == progress.seq
        && shard.closed() == progress.boundary
        && positions.map(|position| (position.next, position.watermark))
            == progress.positions.map(|position| (position.next, position.watermark));
    if !agrees {
        return Err(damaged("its state is not the one of its progress record"));
    }
    Ok((header, shard))
}

struct Block<'a> {
    kind: BlockKind,
    is_packed: bool,
    length: usize,
    stored: &'a [u8],
}

impl<'a> Block<'a> {
    fn unpack<'b>(&self, unpacked: &'b mut Vec<u8>) -> Result<&'b [u8], Refused>
    where
        'a: 'b,
    {
        if !self.is_packed {
            return Ok(self.stored);
        }
        *unpacked = zstd::bulk::decompress(self.stored, self.length)
            .map_err(|error| damaged(format!("a block cannot be unpacked: {error}")))?;
        if unpacked.len() != self.length {
            return Err(damaged("a block unpacks to another length"));
        }
        Ok(unpacked)
    }
}

struct Reader<'a> {
    all: &'a [u8],
    at: usize,
    blocks: u32,
}

impl<'a> Reader<'a> {
    fn begin(all: &'a [u8]) -> Result<(Header, Self), Refused> {
        let mut reader = Self { all, at: 0, blocks: 0 };
        let is_cut = all.len() < MAGIC.len() && MAGIC.starts_with(all);
        if !all.starts_with(MAGIC) && !is_cut {
            return Err(Refused::NoSnapshot);
        }
        reader.bytes(MAGIC.len())?;
        let version = u16::from_le_bytes(reader.array()?);
        match version {
            1 | 2 => {}
            found if found > VERSION => return Err(Refused::NewerVersion { found }),
            found => return Err(damaged(format!("there is no version {found}"))),
        }
        let length = reader.length()?;
        let json = reader.bytes(length)?;
        reader.sum(0, "the header")?;
        let raw: RawHeader<'_> =
            serde_json::from_slice(json).map_err(|error| damaged(format!("header: {error}")))?;
        let progress = progress::decode(raw.progress.get().as_bytes()).map_err(|error| {
            let ProgressError::NewerVersion { found } = error else {
                return damaged(error.to_string());
            };
            Refused::NewerVersion { found: u16::try_from(found).unwrap_or(u16::MAX) }
        })?;
        let progress_at = raw.progress_offset.map(Offset::new);
        let header = Header { group: raw.group, cluster: raw.cluster, progress, progress_at };
        Ok((header, reader))
    }

    /// The next block; `None` after the last one.
    fn block(&mut self) -> Result<Option<Block<'a>>, Refused> {
        let start = self.at;
        let [code] = self.array()?;
        if code == END {
            let stated = u32::from_le_bytes(self.array()?);
            self.sum(0, "the whole")?;
            if stated != self.blocks || self.at != self.all.len() {
                return Err(damaged("it does not end at its end"));
            }
            return Ok(None);
        }
        let [packing] = self.array()?;
        let (length, stored) = (self.length()?, self.length()?);
        let stored = self.bytes(stored)?;
        self.sum(start, &format!("block {}", self.blocks + 1))?;
        self.blocks += 1;
        let kind = BlockKind::from_code(code)
            .filter(|_| packing <= 1)
            .ok_or_else(|| damaged(format!("there is no block of kind {code}, {packing}")))?;
        Ok(Some(Block { kind, is_packed: packing == 1, length, stored }))
    }

    /// Says which part is damaged, once it is known that one is.
    fn locate_damage(&mut self) -> Refused {
        loop {
            match self.block() {
                Ok(Some(_)) => {}
                Ok(None) => return damaged("the whole does not have its checksum"),
                Err(refused) => return refused,
            }
        }
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], Refused> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.all.len());
        let end = end.ok_or_else(|| damaged(format!("it ends at byte {}", self.all.len())))?;
        let bytes = &self.all[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Refused> {
        let bytes = self.bytes(N)?;
        Ok(bytes.try_into().expect("as many as asked for"))
    }

    fn length(&mut self) -> Result<usize, Refused> {
        let length = u32::from_le_bytes(self.array()?);
        Ok(usize::try_from(length).expect("usize has at least 32 bits here"))
    }

    /// Checks the checksum of what was read from `start` on.
    fn sum(&mut self, start: usize, what: &str) -> Result<(), Refused> {
        let found = xxh3_128(&self.all[start..self.at]).to_le_bytes();
        if self.array()? == found {
            return Ok(());
        }
        Err(damaged(format!("{what} does not have its checksum (bytes {start} to {})", self.at)))
    }
}
