//! Inputs that fuzzing found worth keeping, for the ordinary tests.

use std::fs;
use std::path::Path;

/// Feeds every input that is kept for a fuzz target (`fuzz/seeds/<target>`) to what the target calls.
///
/// # Panics
/// If there is none, or the check panics; the input's name is on stderr then.
pub fn replay(target: &str, check: impl Fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/seeds").join(target);
    let files = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut count = 0;
    for file in files {
        let path = file.expect("a readable folder").path();
        eprintln!("{}", path.display());
        check(&fs::read(&path).expect("a readable file"));
        count += 1;
    }
    assert!(count > 0, "{} is empty", dir.display());
}
