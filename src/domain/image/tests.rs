//! Images of a small random market: what damage and strangers get.

use super::{BlockKind, Builder, ImageError, Taking};
use crate::domain::ids::ShardNo;
use crate::domain::shard::{Limits, Shard, ShardConfig};
use crate::domain::tests::{market, shard_config};
use crate::domain::time::BoundaryLength;

type Blocks = Vec<(BlockKind, Vec<u8>)>;

fn blocks_of(shard: &Shard) -> Blocks {
    let mut taking = Taking::begin(shard).unwrap();
    while !taking.step(shard, 1_000) {}
    let mut blocks = Vec::new();
    taking.finish().write(&mut |kind, block| blocks.push((kind, block.to_vec())));
    blocks
}

fn build(config: ShardConfig, blocks: &[(BlockKind, Vec<u8>)]) -> Result<Shard, ImageError> {
    let mut builder = Builder::new(config);
    for (kind, block) in blocks {
        builder.take(*kind, block)?;
    }
    builder.finish()
}

fn config() -> ShardConfig {
    shard_config(Limits::default())
}

#[test]
fn i_22_an_image_has_the_same_bytes_whatever_the_hash_seed() {
    let blocks = blocks_of(&market(3, config()));
    let other = market(3, ShardConfig { hash_seed: 99, ..config() });
    assert_eq!(blocks_of(&other), blocks);
    assert_eq!(blocks_of(&build(config(), &blocks).unwrap()), blocks);
    let kinds: Vec<BlockKind> = blocks.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, BlockKind::ALL, "this market has some of each kind");
}

#[test]
fn nothing_closed_has_no_image() {
    assert!(Taking::begin(&Shard::new(config())).is_none());
}

#[test]
#[should_panic(expected = "does not move")]
fn a_shard_that_moves_while_its_image_is_taken_is_a_bug() {
    let (mut shard, other) = (market(3, config()), market(4, config()));
    let mut taking = Taking::begin(&shard).unwrap();
    taking.step(&shard, 1);
    shard = other;
    taking.step(&shard, 1);
}

#[test]
fn images_of_others_are_refused() {
    let blocks = blocks_of(&market(3, config()));
    let refused = |config| build(config, &blocks).unwrap_err().to_string();
    let other = ShardConfig { shard: ShardNo::new(9), ..config() };
    assert_eq!(refused(other), "the image is of shard 3, and not of 9");
    let other = ShardConfig { length: BoundaryLength::from_ms(5_000).unwrap(), ..config() };
    assert_eq!(refused(other), "the image is of boundaries of ms 900000, and not of 5000");
    let mut other = config();
    other.policy.negative_rating_max = 4;
    assert!(refused(other).contains("another policy"));
}

#[test]
fn a_missing_a_repeated_and_a_misplaced_block_are_refused() {
    let blocks = blocks_of(&market(3, config()));
    for missing in 0..blocks.len() {
        let mut fewer = blocks.clone();
        fewer.remove(missing);
        assert!(build(config(), &fewer).is_err(), "without {:?}", blocks[missing].0);
        let mut more = blocks.clone();
        more.insert(missing, blocks[missing].clone());
        assert!(build(config(), &more).is_err(), "{:?} twice", blocks[missing].0);
        let mut moved = blocks.clone();
        moved.swap(missing, (missing + 1) % blocks.len());
        assert!(build(config(), &moved).is_err(), "{:?} misplaced", blocks[missing].0);
    }
    assert!(build(config(), &[]).is_err());
}

#[test]
fn no_damage_makes_the_reader_panic() {
    // Checksums lie around the blocks; here the reader has only its own care.
    let blocks = blocks_of(&market(3, config()));
    let mut refused = 0;
    for place in 0..blocks.len() {
        for byte in (0..blocks[place].1.len()).step_by(7) {
            for flip in [1, 0x80, 0xFF] {
                let mut damaged = blocks.clone();
                damaged[place].1[byte] ^= flip;
                refused += usize::from(build(config(), &damaged).is_err());
            }
            let mut cut = blocks.clone();
            cut[place].1.truncate(byte);
            assert!(build(config(), &cut).is_err(), "{:?} cut at {byte}", blocks[place].0);
        }
    }
    assert!(refused > 100, "{refused}");
}
