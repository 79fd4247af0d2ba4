//! odrwatch: the live, exact and reproducible Order Defect Rate of marketplace sellers.

pub mod commands;
pub mod config;
pub mod domain;
pub mod pipeline;
pub mod wire;
