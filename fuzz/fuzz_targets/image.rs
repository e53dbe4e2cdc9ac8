#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    chainfire::fuzzing::image(&sim::SimNode::new(0, "fuzz").context(), input);
});
