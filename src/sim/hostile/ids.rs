//! Ids, plain ones and such as lie at the limits of the grammar (1..=64 bytes of 0x20..=0x7E).

use crate::sim::json::{write_digits, write_order_id};
use crate::sim::random::Random;

/// A seller's id; distinct for distinct numbers.
pub(super) fn seller(number: u32, exotic: bool, random: &mut Random) -> String {
    if !exotic {
        return format!("A{number:04}SELLER");
    }
    match random.below(7) {
        0 => format!("{number:<64}"),
        1 => format!("{number:~>64}"),
        2 => format!(" {number} "),
        3 => format!("\"{number}\\"),
        4 => format!("{{\"seller_id\":{number}}}"),
        5 => format!("null|{number}"),
        _ => format!("{number}"),
    }
}

/// An order's id; distinct for distinct numbers.
pub(super) fn order(number: usize, exotic: bool) -> String {
    let wide = u64::try_from(number).expect("a length in memory fits 64 bits");
    let mut id = Vec::with_capacity(19);
    // The head walks through 000 to 999 and the number fills the tail: 17 digits in all.
    write_order_id(&mut id, (wide * 37 % 1_000) * 100_000_000_000_000 + wide * 1_001);
    if exotic {
        match number % 6 {
            // One digit too few, one too many, another separator: no longer of the form 3-7-7,
            // and still distinct, because the numbers are 1,001 apart.
            0 => id.truncate(18),
            1 => id.push(b'0'),
            2 => id[3] = b' ',
            3 => {
                id.resize(54, b'#');
                write_digits(&mut id, wide, 10);
            }
            4 => {
                id.clear();
                id.extend_from_slice(b"\"\\/");
                write_digits(&mut id, wide, 6);
            }
            _ => {
                id.clear();
                id.extend_from_slice(b" ");
                write_digits(&mut id, wide, 6);
            }
        }
    }
    String::from_utf8(id).expect("it is ASCII")
}
