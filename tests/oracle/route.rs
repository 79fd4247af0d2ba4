//! Owns the two ways in which a seller's partition is computed from its id.

use super::Partitioner;

/// True where the partition is the one of the seller, or where nothing is checked.
pub fn is_home(partitioner: Partitioner, seller: &str, partition: u32, partitions: u32) -> bool {
    match partitioner {
        // Kafka takes the hash as a signed integer and clears its sign bit.
        Partitioner::Murmur2 => {
            (murmur2(seller.as_bytes()) & 0x7FFF_FFFF) % partitions == partition
        }
        Partitioner::Crc32 => crc32(seller.as_bytes()) % partitions == partition,
        Partitioner::Off => true,
    }
}

/// `MurmurHash2` with the seed of Kafka's default partitioner.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5BD1_E995;
    let length = u32::try_from(data.len()).expect("a seller id is short");
    let mut hash = 0x9747_B28C ^ length;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        k = k.wrapping_mul(M);
        k ^= k >> 24;
        k = k.wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let tail = words.remainder();
    if !tail.is_empty() {
        for (index, &byte) in tail.iter().enumerate() {
            hash ^= u32::from(byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// CRC-32 as in zlib, bit by bit.
fn crc32(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in data {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_agrees_with_the_vectors_of_kafkas_own_test() {
        for (text, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()), u32::from_ne_bytes(hash.to_ne_bytes()), "{text}");
        }
    }

    #[test]
    fn crc32_agrees_with_its_check_value() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn the_home_partition_is_the_hash_without_sign_modulo_the_count() {
        // -973_932_308 without its sign bit is 1_173_551_340.
        assert!(is_home(Partitioner::Murmur2, "21", 1_173_551_340 % 7, 7));
        assert!(!is_home(Partitioner::Murmur2, "21", (1_173_551_340 + 1) % 7, 7));
        assert!(is_home(Partitioner::Crc32, "123456789", 0xCBF4_3926 % 5, 5));
        assert!(is_home(Partitioner::Off, "21", 99, 1));
    }
}
