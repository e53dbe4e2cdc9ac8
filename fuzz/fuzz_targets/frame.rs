#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lab::switch::fuzzing::frames(input));
