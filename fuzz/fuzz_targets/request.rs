#![no_main]

use std::sync::LazyLock;

use chainfire::fuzzing::Asked;

static ASKED: LazyLock<Asked> = LazyLock::new(|| Asked::new(&sim::SimNode::new(0, "fuzz").context()));

libfuzzer_sys::fuzz_target!(|input: &[u8]| ASKED.request(input));
