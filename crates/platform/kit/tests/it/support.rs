//! A world per test: a CA, a directory, a server on a free port, and clients of every kind.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{any, post};
use bytes::{Buf, BufMut, Bytes};
use kit::Context;
use kit::client::{self, ClientOptions};
use kit::net::BoxStream;
use kit::server::{Peer, RequestId, Server, ServerMetrics};
use kit::telemetry::Metrics;
use kit::tls::{AllowList, Identity};
use sim::ca::{Ca, Issued};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Longer than anything takes, so that a hanging test fails by itself.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Everything of one test.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) ca: Ca,
    /// The server's process.
    pub(crate) context: Context,
    /// The client's process.
    pub(crate) client: Context,
    pub(crate) metrics: Metrics,
    /// Opens the gate that `/wait` waits for.
    pub(crate) gate: watch::Sender<bool>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            ca: Ca::new("lab"),
            context: Context::real(),
            client: Context::real(),
            metrics: Metrics::new(),
            gate: watch::channel(false).0,
        }
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// An identity by our CA.
    pub(crate) fn identity(&self, path: &str) -> Arc<Identity> {
        let config = self.ca.write(&self.path(&path.replace('/', "-")), path).unwrap();
        Identity::load(&self.client, &config).unwrap()
    }

    /// A server with mutual TLS that lets operators in.
    pub(crate) async fn secure(&self, tune: impl FnOnce(&mut Server)) -> SocketAddr {
        let identity = self.identity("node/node01/chainfire");
        self.serve(|server| {
            server.acceptor = Some(identity.server(AllowList::new(["operator/*"]).unwrap()));
            tune(server);
        })
        .await
    }

    /// A plain server, until it is tuned otherwise.
    pub(crate) async fn serve(&self, tune: impl FnOnce(&mut Server)) -> SocketAddr {
        let listener = self.context.net().listen(LOOPBACK).await.unwrap();
        let address = listener.local_address().unwrap();
        let mut server = Server::new("test", listener, router(self.gate.subscribe()));
        server.metrics = ServerMetrics::register(&self.metrics).unwrap();
        tune(&mut server);
        let context = self.context.clone();
        self.context.tasks().spawn_draining(async move { server.run(&context).await.unwrap() });
        address
    }

    /// A TLS stream as `operator/admin`.
    pub(crate) async fn operator(&self, address: SocketAddr) -> io::Result<BoxStream> {
        let tls = self.identity("operator/admin").client(AllowList::new(["node/*/chainfire"]).unwrap());
        client::connect(&self.client, &address.to_string(), Some(&tls), DEADLINE).await
    }

    /// A gRPC channel as `operator/admin`.
    pub(crate) fn channel(&self, address: SocketAddr) -> tonic::transport::Channel {
        let tls = self.identity("operator/admin").client(AllowList::new(["node/*/chainfire"]).unwrap());
        client::grpc(&self.client, &address.to_string(), Some(tls), &ClientOptions::default()).unwrap()
    }

    /// The value of one sample in the metrics; zero when there is none.
    pub(crate) fn sample(&self, name: &str) -> f64 {
        let (_, text) = self.metrics.encode(None).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    pub(crate) fn refused(&self, reason: &str) -> f64 {
        self.sample(&format!("server_connections_refused_total{{server=\"test\",reason=\"{reason}\"}}"))
    }
}

/// What the test server answers:
/// - `/who`: the peer and the request's id
/// - `/wait`: the same, once the gate is open; `/wait/started` tells the test that it waits
/// - `/test.Echo/Say`: gRPC, gives back what it gets, with the peer in front
fn router(gate: watch::Receiver<bool>) -> Router {
    Router::new()
        .route("/who", any(async |request: Request| Response::new(Body::from(who(&request)))))
        .route(
            "/wait",
            any(move |request: Request| {
                let mut gate = gate.clone();
                async move {
                    gate.wait_for(|open| *open).await.unwrap();
                    Response::new(Body::from(who(&request)))
                }
            }),
        )
        .route("/test.Echo/Say", post(echo))
}

fn who(request: &Request) -> String {
    let peer = request.extensions().get::<Peer>().unwrap();
    let name = peer.spiffe.as_ref().map_or("nobody".to_owned(), ToString::to_string);
    format!("{name} {}", request.extensions().get::<RequestId>().unwrap().as_str())
}

async fn echo(request: Request) -> http::Response<tonic::body::Body> {
    let service = tower::service_fn(async |request: tonic::Request<Bytes>| {
        let peer = request.extensions().get::<Peer>().unwrap().clone();
        if request.get_ref().as_ref() == b"fail" {
            return Err(Status::unavailable("asked to fail"));
        }
        let name = peer.spiffe.map_or("nobody".to_owned(), |id| id.path().to_owned());
        Ok(tonic::Response::new(Bytes::from([name.as_bytes(), b":", request.get_ref()].concat())))
    });
    tonic::server::Grpc::new(BytesCodec).unary(service, request).await
}

/// Says something over gRPC.
pub(crate) async fn say(channel: &tonic::transport::Channel, words: &'static str) -> Result<String, Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.map_err(|e| Status::from_error(Box::new(e)))?;
    let path = http::uri::PathAndQuery::from_static("/test.Echo/Say");
    let request = tonic::Request::new(Bytes::from_static(words.as_bytes()));
    let answer = grpc.unary(request, path, BytesCodec).await?;
    Ok(String::from_utf8(answer.into_inner().to_vec()).unwrap())
}

/// gRPC messages that are bytes, so that no test needs a protocol of its own.
#[derive(Clone, Copy)]
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// One HTTP/1.1 request on a stream of its own; gives the whole answer as text.
pub(crate) async fn get(mut stream: BoxStream, path: &str, headers: &str) -> io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await?;
    read_all(&mut stream).await
}

/// Reads until the other side closes. An unclean end of TLS counts as an end.
pub(crate) async fn read_all(stream: &mut BoxStream) -> io::Result<String> {
    let mut answer = Vec::new();
    match timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("an end before the deadline") {
        Err(e) if e.kind() != io::ErrorKind::UnexpectedEof => Err(e),
        _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
    }
}

/// A plain TCP stream.
pub(crate) async fn plain(address: SocketAddr) -> BoxStream {
    Context::real().net().connect(&address.to_string()).await.unwrap()
}

/// Runs something beside the test, which waits for it later.
#[expect(clippy::disallowed_methods, reason = "the test holds the handle")]
pub(crate) fn spawn<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::spawn(task)
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, so: impl Fn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !so() {
        assert!(Instant::now() < end, "never happened: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// A client that trusts everybody and shows any certificate at all, as an attacker's would. Gives what the
/// server says to a request.
pub(crate) async fn stranger(address: SocketAddr, shown: Option<&Issued>) -> io::Result<String> {
    let stream = open(address, &gullible(shown)).await?;
    get(Box::new(stream), "/who", "").await
}

/// A TLS stream with these settings.
pub(crate) async fn open(
    address: SocketAddr,
    config: &Arc<rustls::ClientConfig>,
) -> io::Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>> {
    let stream = tokio::net::TcpStream::connect(address).await?;
    let name = "localhost".try_into().unwrap();
    tokio_rustls::TlsConnector::from(config.clone()).connect(name, stream).await
}

/// Settings of somebody who trusts everybody and would like to resume sessions.
pub(crate) fn gullible(shown: Option<&Issued>) -> Arc<rustls::ClientConfig> {
    use rustls_pki_types::pem::PemObject;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible(provider)));
    let Some(issued) = shown else { return Arc::new(builder.with_no_client_auth()) };
    let cert = rustls_pki_types::CertificateDer::from_pem_slice(issued.cert.as_bytes()).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
    Arc::new(builder.with_client_auth_cert(vec![cert], key).unwrap())
}

#[derive(Debug)]
struct Gullible(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &rustls_pki_types::CertificateDer<'_>,
        _: &[rustls_pki_types::CertificateDer<'_>],
        _: &rustls_pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls_pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls_pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls_pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Replaces a file's content.
pub(crate) fn overwrite(path: &Path, content: &str) {
    std::fs::write(path, content).unwrap();
}
