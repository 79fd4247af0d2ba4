//! Fuzz targets of odrwatch: `cargo +nightly fuzz run TARGET` in the repository's root.

pub mod targets;
