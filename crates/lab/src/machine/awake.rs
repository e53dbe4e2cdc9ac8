//! What a machine makes up for when it wakes from a file on the host: the time that has passed, and randomness
//! that no other awakening from that file has.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;

use anyhow::{Context as _, Result};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_settime};

nix::ioctl_none!(reseed, b'R', 7);

/// Sets the wall clock. Monotonic time goes on where it was, as after a suspend.
pub(super) fn set_clock(unix_ms: i64) -> Result<()> {
    let now = TimeSpec::new(unix_ms.div_euclid(1000), unix_ms.rem_euclid(1000) * 1_000_000);
    clock_settime(ClockId::CLOCK_REALTIME, now).context("cannot set the clock")
}

/// Mixes something into the kernel's generator and makes it begin anew from there.
#[expect(unsafe_code, reason = "RNDRESEEDCRNG (random(4)), an ioctl without an argument")]
pub(super) fn stir(entropy: [u64; 4]) -> Result<()> {
    let mut device = File::options().write(true).open("/dev/urandom")?;
    device.write_all(&entropy.map(u64::to_ne_bytes).concat()).context("cannot mix randomness in")?;
    // SAFETY: the descriptor is open, and the call takes no memory of ours.
    unsafe { reseed(device.as_raw_fd()) }.context("cannot reseed the kernel's generator")?;
    Ok(())
}
