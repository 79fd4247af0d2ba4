//! Shards through their images.

use odrwatch::domain::image::{BlockKind, Builder, Taking};
use odrwatch::domain::shard::{Shard, ShardConfig};

/// The shard that the image of a shard makes; its own image has the same bytes (I-22).
pub fn through_image(shard: &Shard, config: ShardConfig) -> Shard {
    let blocks = blocks_of(shard);
    let mut builder = Builder::new(ShardConfig { shard: shard.number(), ..config });
    for (kind, block) in &blocks {
        builder.take(*kind, block).unwrap();
    }
    let restored = builder.finish().unwrap();
    assert_eq!(blocks_of(&restored), blocks, "the image of the restored shard");
    assert_eq!(restored.digest(), shard.digest());
    restored
}

fn blocks_of(shard: &Shard) -> Vec<(BlockKind, Vec<u8>)> {
    let mut taking = Taking::begin(shard).unwrap();
    while !taking.step(shard, 7) {}
    let mut blocks = Vec::new();
    taking.finish().write(&mut |kind, block| blocks.push((kind, block.to_vec())));
    blocks
}
