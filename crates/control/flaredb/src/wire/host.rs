//! What a connection asks of its caller: TLS, who may come in, sessions, and whom a cancel request is for.

use std::borrow::Cow;
use std::future::Future;
use std::io;

use crate::base::SqlError;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::wire::control::Control;
use crate::wire::session::Session;
pub(crate) use crate::wire::startup::ChannelBinding;
use crate::wire::startup::Verifier;

/// Bytes in both directions.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Of any kind: a virtual call costs nothing beside a system call.
pub(crate) type BoxStream = Box<dyn Stream>;

/// A stream and how it is protected.
pub(crate) struct Transport {
    pub(crate) stream: BoxStream,
    /// None: plain text. Some from the beginning: the caller has done the handshake (direct TLS, ALPN `postgresql`).
    pub(crate) security: Option<Security>,
}

/// What is known of a connection with TLS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Security {
    /// The client's certificate and what it sent with it, in DER; checked by the handshake. Empty: it has none.
    pub(crate) client_certificates: Vec<Vec<u8>>,
    /// What the client's certificate names it, if its caller lets that stand for a role.
    pub(crate) identity: Option<String>,
    /// Of the server's certificate. None: SCRAM-SHA-256-PLUS is not offered.
    pub(crate) binding: Option<ChannelBinding>,
}

/// Who wants in.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) database: String,
    /// Settings of the session, in the order in which they are to be set: those of `options` first.
    pub(crate) settings: Vec<(String, String)>,
    /// 0 to 2: the minor version of the protocol that is spoken.
    pub(crate) minor: u16,
    /// None: plain text.
    pub(crate) security: Option<Security>,
}

impl Login {
    /// How long the secret of a cancel key must be: in bytes.
    pub(crate) fn secret_length(&self) -> usize {
        if self.minor >= 2 { 32 } else { 4 }
    }
}

/// How somebody proves who he is.
#[derive(Clone, Debug)]
pub(crate) enum Method {
    /// He has: by his certificate.
    Trust,
    /// By a password. None: there is no such user, or he has no password; the exchange goes on and fails.
    Scram(Option<Verifier>),
}

/// Somebody is in.
pub(crate) struct Opened<S> {
    pub(crate) session: S,
    /// Names this connection in cancel requests.
    pub(crate) pid: i32,
    /// As long as [`Login::secret_length`] says.
    pub(crate) secret: Vec<u8>,
    /// What clients are told of the server and of settings: `server_version`, `client_encoding`, ….
    pub(crate) parameters: Vec<(Cow<'static, str>, String)>,
}

/// Somebody wants a statement to stop that another connection runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CancelRequest {
    pub(crate) pid: i32,
    /// To be compared in constant time.
    pub(crate) secret: Vec<u8>,
}

/// The caller.
pub(crate) trait Host: Send + Sync {
    type Session: Session;

    /// The server's side of a TLS handshake. Called only if [`crate::wire::Options::tls`] says so.
    fn upgrade(&self, stream: BoxStream) -> impl Future<Output = io::Result<(BoxStream, Security)>> + Send;

    /// How this one proves who he is. An error is FATAL.
    fn authenticate(&self, login: &Login) -> impl Future<Output = Result<Method, SqlError>> + Send;

    /// Makes a session for who has proved it. An error is FATAL. `control` is what was given to [`crate::wire::serve`].
    fn connect(
        &self,
        login: Login,
        control: &Control,
    ) -> impl Future<Output = Result<Opened<Self::Session>, SqlError>> + Send;

    /// Cancels what the connection of this key runs, if there is one. Nobody is told whether there is.
    fn cancel(&self, request: CancelRequest) -> impl Future<Output = ()> + Send;
}
