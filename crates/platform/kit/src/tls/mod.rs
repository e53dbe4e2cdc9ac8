//! Who a process is, and whom it talks to: mutual TLS 1.3 with SPIFFE IDs, from files that may change.
//!
//! A peer is judged in three steps, in this order: its chain must end in our CA and be current, its
//! certificate must carry exactly one SPIFFE ID, and that ID must be of our trust domain and on the
//! allow-list of the listener or of the caller. Every new connection takes the identity of that moment;
//! a renewed certificate drops no connection. Sessions are never resumed, because a resumed session
//! would skip the judgement.
//!
//! [`ForeignTls`] is for drop-ins alone: it takes certificates as other programs have them.
//!
//! Refuses: TLS 1.2 and older, anonymous peers, names taken from the subject's CN, a private key that
//! others can read, and new files that do not make a working identity (the old one stays).

mod allow;
mod connect;
mod files;
mod foreign;
mod identity;
mod spiffe;
mod verify;

pub use allow::{AllowList, AllowListError};
pub use connect::{Acceptor, HandshakeError, Shown, TlsConnector};
pub use files::{TlsConfig, TlsError};
pub use foreign::{ForeignConfig, ForeignTls};
pub use identity::Identity;
pub use spiffe::{SpiffeError, SpiffeId};
pub use verify::PeerRefused;
