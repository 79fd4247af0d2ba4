//! Which partition a seller's records belong to: the partitioners of Kafka's Java clients and of
//! librdkafka, so that a record in a wrong partition is seen.
//!
//! Invariant: the results are those of the clients, bit for bit (golden values in the tests).

/// How the producers of the inputs choose partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitioner {
    /// Kafka's Java clients (and `murmur2`, `murmur2_random` of librdkafka).
    Murmur2,
    /// librdkafka's `consistent` (and its default, `consistent_random`): CRC-32.
    Crc32,
    /// Not known; nothing is checked.
    Off,
}

impl Partitioner {
    /// All partitioners.
    pub const ALL: [Self; 3] = [Self::Murmur2, Self::Crc32, Self::Off];

    /// The name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Murmur2 => "murmur2",
            Self::Crc32 => "consistent",
            Self::Off => "off",
        }
    }
}

/// The partition of a seller, of `partitions` (at least one). With [`Partitioner::Off`], which
/// checks nothing, the one that Kafka's default would choose.
#[must_use]
pub fn partition_of(partitioner: Partitioner, seller: &str, partitions: u32) -> u32 {
    assert!(partitions > 0, "a topic has at least one partition");
    match partitioner {
        Partitioner::Murmur2 | Partitioner::Off => murmur2_partition(seller.as_bytes(), partitions),
        Partitioner::Crc32 => crc32(seller.as_bytes()) % partitions,
    }
}

/// The partition of a key, of `partitions` (at least one), by Kafka's default partitioner.
#[must_use]
pub fn murmur2_partition(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7FFF_FFFF) % partitions
}

/// Kafka's variant of `MurmurHash2` (`org.apache.kafka.common.utils.Utils.murmur2`).
fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5BD1_E995;
    // Keys are far shorter than 4 GiB, and Java's length is 32 bits wide.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut hash = 0x9747_B28C ^ length;
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// CRC-32 with the polynomial of IEEE 802.3, as zlib and librdkafka compute it.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        let place = usize::from(crc.to_le_bytes()[0] ^ *byte);
        crc = (crc >> 8) ^ CRC_TABLE[place];
    }
    !crc
}

const CRC_TABLE: [u32; 256] = crc_table();

const fn crc_table() -> [u32; 256] {
    let mut table = [0_u32; 256];
    let mut place = 0;
    let mut number = 0_u32;
    while place < 256 {
        let mut crc = number;
        let mut bit = 0;
        while bit < 8 {
            let carry = crc & 1;
            crc >>= 1;
            if carry == 1 {
                crc ^= 0xEDB8_8320;
            }
            bit += 1;
        }
        table[place] = crc;
        place += 1;
        number += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_gives_the_golden_values_of_kafkas_own_tests() {
        for (text, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()), hash.cast_unsigned(), "{text}");
        }
    }

    #[test]
    fn crc32_gives_the_check_value_of_its_catalogue() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn the_sign_bit_is_dropped_before_the_remainder() {
        let positive = (-973_932_308_i32).cast_unsigned() & 0x7FFF_FFFF;
        assert_eq!(partition_of(Partitioner::Murmur2, "21", 10), positive % 10);
        assert_eq!(partition_of(Partitioner::Crc32, "123456789", 7), 0xCBF4_3926 % 7);
    }
}
