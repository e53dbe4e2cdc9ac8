//! How a simulation is asked for seeds, and how one of them is replayed.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{env, fs, io};

/// Held by whoever simulates.
static ONE: Mutex<()> = Mutex::new(());

/// One run at a time in a process: h2's server forgets reset streams by the system's clock, so that a run
/// which another one slows down could differ in what it ignores.
pub fn alone() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number from the environment.
pub fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// Spreads a range of seeds over the machine's cores: processes that run the ignored test `name` with a part
/// each, as `SIM_FROM` and `SIM_SEEDS` say. The first part that fails says why.
pub fn spread(name: &str, from: u64, seeds: u64) -> io::Result<()> {
    let parts = std::thread::available_parallelism()?.get() as u64;
    let part = |n: u64| (from + seeds * n / parts, seeds * (n + 1) / parts - seeds * n / parts);
    let begun: Vec<_> = (0..parts).map(part).map(|(from, seeds)| begin(name, from, seeds)).collect();
    // All are waited for, whatever became of the others.
    let ended: Vec<_> = begun.into_iter().map(|child| child.and_then(Child::wait_with_output)).collect();
    for output in ended {
        let output = output?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout);
            return Err(io::Error::other(format!("{said}{}", String::from_utf8_lossy(&output.stderr))));
        }
    }
    Ok(())
}

fn begin(name: &str, from: u64, seeds: u64) -> io::Result<Child> {
    let mut run = Command::new(env::current_exe()?);
    run.args([name, "--exact", "--ignored", "--nocapture"]);
    run.env("SIM_FROM", from.to_string()).env("SIM_SEEDS", seeds.to_string());
    run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

/// Replays a seed as the line that a failure prints does, by the test `one_seed` in a process of its own.
/// Gives the trace, which that test leaves in the file that `SIM_TRACE` names.
pub fn replay(seed: u64, scratch: &Path) -> io::Result<String> {
    let trace = scratch.join("trace");
    let mut run = Command::new(env::current_exe()?);
    run.args(["one_seed", "--exact"]).env("SIM_SEED", seed.to_string()).env("SIM_TRACE", &trace);
    let output = run.output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stdout).into_owned()));
    }
    fs::read_to_string(trace)
}
