//! The synthetic market.

pub mod murmur2;
