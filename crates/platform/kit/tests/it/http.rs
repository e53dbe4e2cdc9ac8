//! Requests: their ids, and how they end.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kit::server::Limits;
use kit::task::Cause;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{DEADLINE, World, get, plain, read_all, say, spawn, until};

fn id_of(answer: &str) -> &str {
    answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).expect("an id")
}

#[tokio::test]
async fn a_request_id_comes_back_and_reaches_the_service() {
    let world = World::new();
    let address = world.serve(|_| {}).await;
    let answer = get(plain(address).await, "/who", "x-request-id: from-the-gateway.1\r\n").await.unwrap();
    assert_eq!(id_of(&answer), "from-the-gateway.1");
    assert!(answer.ends_with("nobody from-the-gateway.1"), "{answer}");
}

#[tokio::test]
async fn a_missing_or_hostile_id_is_replaced() {
    let world = World::new();
    let address = world.serve(|_| {}).await;
    let long = format!("x-request-id: {}\r\n", "a".repeat(200));
    let mut seen = std::collections::BTreeSet::new();
    for headers in ["", "x-request-id: \r\n", "x-request-id: a b\r\n", "x-request-id: a\"b\r\n", &long] {
        let answer = get(plain(address).await, "/who", headers).await.unwrap();
        let id = id_of(&answer).to_owned();
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        assert!(answer.ends_with(&id), "{answer}");
        seen.insert(id);
    }
    assert_eq!(seen.len(), 5, "ids repeat");
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_flight() {
    let world = World::new();
    let address = world.secure(|_| {}).await;
    let http1 = spawn(get(world.operator(address).await.unwrap(), "/wait", ""));
    let channel = world.channel(address);
    say(&channel, "connect").await.unwrap();
    let http2 = spawn(http2_wait(world.operator(address).await.unwrap()));
    until("both requests run", || world.sample("server_requests_total{server=\"test\"}") == 3.0).await;

    world.context.tasks().stop();
    until_refused(address).await;
    assert!(!http1.is_finished() && !http2.is_finished(), "requests were cut");
    world.gate.send(true).unwrap();
    assert!(http1.await.unwrap().unwrap().contains("operator/admin"));
    assert!(http2.await.unwrap().contains("operator/admin"));
    assert_eq!(world.context.tasks().wait(DEADLINE).await, (Cause::Requested, 0));
    assert_eq!(world.sample("server_connections{server=\"test\"}"), 0.0);
}

type Sender = hyper::client::conn::http2::SendRequest<Empty<Bytes>>;

/// An HTTP/2 connection, and how it ends.
async fn http2(stream: kit::net::BoxStream) -> (Sender, JoinHandle<hyper::Result<()>>) {
    let (executor, io) = (TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    (sender, spawn(connection))
}

/// The answer to `/wait`, on a connection that is held open after it.
async fn http2_wait(stream: kit::net::BoxStream) -> String {
    let (mut sender, ended) = http2(stream).await;
    let request = http::Request::get("https://test/wait").body(Empty::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    timeout(DEADLINE, ended).await.expect("GOAWAY ends the connection").unwrap().unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn until_refused(address: std::net::SocketAddr) {
    let end = tokio::time::Instant::now() + DEADLINE;
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        assert!(tokio::time::Instant::now() < end, "the port stays open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_idle_connection_ends_with_the_process() {
    let world = World::new();
    let long = Duration::from_secs(600);
    let limits = Limits { drain: long, header_timeout: long, ..Limits::default() };
    let address = world.serve(|server| server.limits = limits).await;
    let idle = http2(plain(address).await).await;
    let mut stream = plain(address).await;
    stream.write_all(b"GET /who HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 1];
    stream.read_exact(&mut first).await.unwrap();
    world.context.tasks().stop();
    timeout(DEADLINE, idle.1).await.expect("GOAWAY ends an idle HTTP/2 connection").unwrap().unwrap();
    assert!(read_all(&mut stream).await.unwrap().starts_with("TTP/1.1 200 OK"));
    assert_eq!(world.context.tasks().wait(DEADLINE).await, (Cause::Requested, 0));
}

#[tokio::test]
async fn what_does_not_drain_in_time_is_cut() {
    let world = World::new();
    let drain = Duration::from_millis(50);
    let address = world.serve(|server| server.limits = Limits { drain, ..Limits::default() }).await;
    let running = spawn(get(plain(address).await, "/wait", ""));
    until("the request runs", || world.sample("server_requests_total{server=\"test\"}") == 1.0).await;
    world.context.tasks().stop();
    assert_eq!(world.context.tasks().wait(DEADLINE).await, (Cause::Requested, 0));
    let cut = running.await.unwrap();
    assert!(!matches!(&cut, Ok(text) if text.contains("200")), "{cut:?}");
}
