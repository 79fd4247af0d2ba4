//! The program: arguments, configuration, telemetry, command, exit code.

fn main() {}
