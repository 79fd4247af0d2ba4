//! odrwatch: the live, exact and reproducible Order Defect Rate of marketplace sellers.

pub mod commands;
pub mod config;
pub mod domain;
pub mod http;
pub mod kafka;
pub mod pipeline;
pub mod sim;
pub mod telemetry;
pub mod testing;
pub mod wire;
