//! Work inside another network namespace, done by a thread that is thrown away.
//!
//! A socket or a tap belongs for life to the namespace it was made in, whoever uses it later. So a
//! few microseconds in there are enough, and no long-lived thread is ever in the wrong place.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Opens the network namespace of a process.
pub fn of_process(pid: i32) -> io::Result<OwnedFd> {
    Ok(std::fs::File::open(format!("/proc/{pid}/ns/net"))?.into())
}

/// Runs `work` inside the namespace.
pub fn inside<T: Send>(
    namespace: impl AsFd + Sync,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("in-netns".to_owned()).spawn_scoped(scope, || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            work()
        })?;
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("a thread inside a network namespace panicked")))
    })
}
