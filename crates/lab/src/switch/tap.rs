//! A tap in a node's network namespace.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;

use rustix::io::Errno;

use crate::netns;

/// The virtio-net header (`struct virtio_net_hdr`) before each frame of a tap with `IFF_VNET_HDR`.
pub const HEADER: usize = 10;

/// `VIRTIO_NET_HDR_F_NEEDS_CSUM`, in the header's first byte: the checksum is yet to be made.
const NEEDS_CHECKSUM: u8 = 1;

/// What the node's kernel may leave to the receiver: checksums and segmentation (linux/if_tun.h:
/// `TUN_F_CSUM|TSO4|TSO6|TSO_ECN|USO4|USO6`).
const OFFLOADS: libc::c_uint = 0x6f;

/// Makes a tap of that name in a namespace. It exists as long as the descriptor.
pub fn open(namespace: impl AsFd + Sync, name: &str) -> io::Result<OwnedFd> {
    netns::inside(namespace, || {
        let tap = File::options()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/net/tun")
            .map_err(|e| io::Error::new(e.kind(), format!("cannot open /dev/net/tun: {e}")))?;
        name_tap(&tap, name)?;
        set_offloads(&tap, true)?;
        Ok(tap.into())
    })
}

/// Reads one frame with its header; `None` when there is none.
pub(super) fn receive(tap: impl AsFd, framed: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match rustix::io::read(&tap, &mut *framed) {
            Ok(size) => return Ok((size >= HEADER).then_some(size)),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(None),
            Err(e) => return Err(e.into()),
        }
    }
}

/// Whether a frame is complete as it is: nothing in its header is left to the receiver. (The second
/// byte says how it is to be segmented.)
pub(super) fn is_finished(framed: &[u8]) -> bool {
    framed[0] & NEEDS_CHECKSUM == 0 && framed[1] == 0
}

#[expect(unsafe_code, reason = "TUNSETIFF has no safe wrapper")]
fn name_tap(tap: &File, name: &str) -> io::Result<()> {
    if name.len() >= libc::IFNAMSIZ {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("`{name}` is too long for an interface"),
        ));
    }
    // SAFETY: an all-zero ifreq is valid: it is plain numbers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    request.ifr_ifru.ifru_flags = flags as libc::c_short;
    // SAFETY: the kernel reads and writes one ifreq, which outlives the call.
    let result = unsafe { libc::ioctl(tap.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Lets the node's kernel hand over segments of 64 KiB without checksums, or not.
#[expect(unsafe_code, reason = "TUNSETOFFLOAD has no safe wrapper")]
pub(super) fn set_offloads(tap: impl AsFd, on: bool) -> io::Result<()> {
    let offloads = if on { OFFLOADS } else { 0 };
    // SAFETY: the argument is a number, no memory is passed.
    let result =
        unsafe { libc::ioctl(tap.as_fd().as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(offloads)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
