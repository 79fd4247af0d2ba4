//! The commands: one file each, behind one set of arguments and exit codes.

pub mod args;
pub mod exit;
