#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| quorum::fuzzing::recovery(&sim::SimDisk::new(0), input));
