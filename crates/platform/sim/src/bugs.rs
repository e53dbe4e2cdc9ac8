//! Known bugs, put back in: a simulation proves its worth by catching each.
//!
//! Every run is a process of its own. An assertion of the engine may fail while another one is being cleaned
//! up after, which no process survives; and what a process simulated before must not decide what it sees now.

use std::process::{Child, Command, Stdio};
use std::{env, io, thread};

use crate::seeds::{alone, number};

/// The variable that names the bug to put in.
const BUG: &str = "SIM_BUG";
/// The ignored test that runs one seed with one bug, and fails with the words of the check that caught it.
const TEST: &str = "bugs::one_seed_with_a_bug";

/// The bug that this process is to put in, and the seed to run.
pub fn asked() -> (&'static str, u64) {
    let bug = env::var(BUG).unwrap_or_else(|_| panic!("{BUG} names the bug to put in, SIM_SEED the seed"));
    (Box::leak(bug.into_boxed_str()), number("SIM_SEED", 1))
}

/// Runs seeds from 1 on until the bug is caught, by a check whose words are among `by` or by an assertion of
/// the engine. Gives the seed and the first line of what was said.
///
/// # Errors
/// No seed caught it, another check did, or a run could not be started.
pub fn caught(bug: &str, by: &[&str], seeds: u64) -> io::Result<(u64, String)> {
    let _one = alone();
    let together = thread::available_parallelism()?.get() as u64;
    for from in (1..=seeds).step_by(together as usize) {
        let begun: Vec<_> = (from..from + together).map(|seed| (seed, begin(bug, seed))).collect();
        // All are waited for, whatever became of the others.
        let ended: Vec<_> =
            begun.into_iter().map(|(seed, run)| (seed, run.and_then(Child::wait_with_output))).collect();
        for (seed, output) in ended {
            let output = output?;
            if !output.status.success() {
                let told = String::from_utf8_lossy(&output.stderr);
                return judge(&told, by).map(|line| (seed, line)).map_err(io::Error::other);
            }
        }
    }
    Err(io::Error::other(format!("{bug}: {seeds} seeds did not catch it")))
}

fn begin(bug: &str, seed: u64) -> io::Result<Child> {
    let mut run = Command::new(env::current_exe()?);
    run.args([TEST, "--exact", "--ignored", "--nocapture"]).env(BUG, bug).env("SIM_SEED", seed.to_string());
    run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
}

/// What the first panic said, if it is one that was meant to catch the bug.
fn judge(told: &str, by: &[&str]) -> Result<String, String> {
    let mut lines = told.lines().skip_while(|line| !line.contains("panicked at"));
    let place = lines.next().unwrap_or_default();
    let said = lines.next().unwrap_or_default();
    if place.contains("/openraft-") || by.iter().any(|words| told.contains(words)) {
        return Ok(said.chars().take(200).collect());
    }
    Err(format!("caught by another check: {}", told.chars().take(2000).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::judge;

    const BY: &[&str] = &["no order explains"];

    #[test]
    fn the_check_that_was_meant_is_told_from_others() {
        let meant = "noise\nthread 't' panicked at tests/a.rs:1:1:\nno order explains this\nmore";
        assert_eq!(judge(meant, BY).unwrap(), "no order explains this");
        let other = "thread 't' panicked at tests/a.rs:1:1:\nnot a number";
        assert!(judge(other, BY).unwrap_err().contains("not a number"));
        assert!(judge("killed", BY).is_err());
    }

    #[test]
    fn an_assertion_of_the_engine_counts() {
        let engine = "thread 't' panicked at /x/openraft-0.10.0/src/a.rs:1:1:\nassertion failed";
        assert_eq!(judge(engine, BY).unwrap(), "assertion failed");
    }
}
