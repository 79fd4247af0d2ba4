//! odrwatch: the live, exact and reproducible Order Defect Rate of marketplace sellers.

pub mod domain;
pub mod kafka;
pub mod pipeline;
