//! Real TLS, over a pipe.

use std::io;
use std::sync::Arc;

use crate::base::SqlError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::wire::fuzzing::{FakeHost, FakeSession, STARTUP};
use crate::wire::tests::talk::{PIPE, packet, plain, say};
use crate::wire::{
    BoxStream, CancelRequest, Control, Ending, Host, Login, Method, Opened, Options, Security, serve,
};

/// Self-signed, P-256, SHA-256, good for a hundred years: made by openssl for these tests, as its key was.
pub(super) const CERTIFICATE: &str = "\
    MIIBkjCCATigAwIBAgIUVqXC54T6D+7O1IhaEPp4WgeFG9owCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJbG9jYWxob3N0MCA\
    XDTI2MTEyNzE3MDYwNloYDzIxMjYxMTAzMTcwNjA2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhk\
    jOPQMBBwNCAAQhNBxXg8c56j7lSMXgafzNsZRHc2RKC9gJ16VMfcRRIGhmmTlUnz5cRDkZlT1wvV2J6Un3rbQShWW7/amNt\
    /Vto2YwZDAdBgNVHQ4EFgQUGYrta+bG7itMlq/N272WhoRJingwHwYDVR0jBBgwFoAUGYrta+bG7itMlq/N272WhoRJingw\
    FAYDVR0RBA0wC4IJbG9jYWxob3N0MAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0EAwIDSAAwRQIgHQhZXO0lDsReexLvg6Vnl/2\
    ukprcIGlM9TTiIJxoKBgCIQDJUin9cDYC2tUbVmBIjSI/PhKTKD6GP0oy+QrOpX2tdA==";
const KEY: &str = "\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgu9maPHQ/zmcIF/P0iQLcB6z1WHyPUEa836POAR6VMbuhRAN\
    CAAQhNBxXg8c56j7lSMXgafzNsZRHc2RKC9gJ16VMfcRRIGhmmTlUnz5cRDkZlT1wvV2J6Un3rbQShWW7/amNt/Vt";

struct SecureHost {
    fake: FakeHost,
    acceptor: TlsAcceptor,
}

impl Host for SecureHost {
    type Session = FakeSession;

    async fn upgrade(&self, stream: BoxStream) -> io::Result<(BoxStream, Security)> {
        Ok((Box::new(self.acceptor.accept(stream).await?), Security::default()))
    }

    async fn authenticate(&self, login: &Login) -> Result<Method, SqlError> {
        self.fake.authenticate(login).await
    }

    async fn connect(&self, login: Login, control: &Control) -> Result<Opened<FakeSession>, SqlError> {
        assert!(login.security.is_some());
        self.fake.connect(login, control).await
    }

    async fn cancel(&self, request: CancelRequest) {
        self.fake.cancel(request).await;
    }
}

fn certificate() -> CertificateDer<'static> {
    STANDARD.decode(CERTIFICATE).unwrap().into()
}

fn host() -> SecureHost {
    let key = PrivatePkcs8KeyDer::from(STANDARD.decode(KEY).unwrap());
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate()], key.into()).unwrap();
    SecureHost { fake: FakeHost::default(), acceptor: TlsAcceptor::from(Arc::new(config)) }
}

/// The client's side, when it has shaken hands.
async fn connect(mut far: DuplexStream) -> TlsStream<DuplexStream> {
    far.write_all(b"\0\0\0\x08\x04\xd2\x16\x2f").await.unwrap();
    assert_eq!(far.read_u8().await.unwrap(), b'S');
    let mut roots = RootCertStore::empty();
    roots.add(certificate()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, far).await.unwrap()
}

async fn play(said: &[u8]) -> (Vec<u8>, Ending, Vec<String>) {
    let (near, far) = tokio::io::duplex(PIPE);
    let (host, control) = (host(), Control::new());
    let options = Options { tls: true, require_tls: true, ..Options::new([0; 32]) };
    let client = async {
        let mut stream = connect(far).await;
        stream.write_all(said).await.unwrap();
        let mut heard = Vec::new();
        // An end that is not announced is an error.
        stream.read_to_end(&mut heard).await.unwrap();
        heard
    };
    let (heard, ending) = tokio::join!(client, serve(&host, plain(near), &options, &control));
    (heard, ending, host.fake.log.take())
}

#[tokio::test]
async fn a_session_is_had_over_tls_and_its_end_is_announced() {
    let (heard, ending, _) = play(&[STARTUP, &say("Q rows 3 | Q rows 5000 100 | X")].concat()).await;
    assert!(heard.ends_with(b"SELECT 5000\0Z\0\0\0\x05I"));
    assert!(matches!(ending, Ending::Left));
}

#[tokio::test]
async fn a_cancel_request_over_tls_ends_as_tls_does() {
    let (heard, ending, log) = play(&packet(b"\x04\xd2\x16\x2e\0\0\0\x01abcd")).await;
    assert!(heard.is_empty() && matches!(ending, Ending::CancelRequest));
    assert_eq!(log, ["cancel 1 [97, 98, 99, 100]"]);
}

#[tokio::test]
async fn a_refusal_over_tls_ends_as_tls_does() {
    for said in [packet(b"\0\x04\0\0"), packet(b"\0\x03\0\0\0"), [STARTUP, b"y\0\0\0\x04"].concat()] {
        let (heard, ending, _) = play(&said).await;
        assert!(heard.ends_with(b"\0") && matches!(ending, Ending::Refused(_)));
    }
}
