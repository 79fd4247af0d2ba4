//! The commands: one file each, behind one set of arguments and exit codes.

pub mod args;
mod cluster;
pub mod exit;
pub mod failure;
mod run;
mod service;
pub mod start;
