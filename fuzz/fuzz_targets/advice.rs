#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| odrwatch_fuzz::targets::advice(data));
