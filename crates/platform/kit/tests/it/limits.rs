//! Bad and greedy clients meet a limit, and good ones do not notice.

use std::io;
use std::time::Duration;

use kit::net::BoxStream;
use kit::server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::support::{DEADLINE, World, get, plain, read_all, say, spawn, until};

const SOON: Duration = Duration::from_millis(100);

fn impatient() -> Limits {
    Limits { handshake_timeout: SOON, header_timeout: SOON, ..Limits::default() }
}

/// Whether the server has hung up, in whatever manner.
async fn is_closed(stream: &mut BoxStream) -> bool {
    let mut byte = [0; 4096];
    loop {
        match timeout(DEADLINE, stream.read(&mut byte)).await {
            Err(_) => return false,
            Ok(Ok(0) | Err(_)) => return true,
            Ok(Ok(_)) => {}
        }
    }
}

#[tokio::test]
async fn garbage_on_the_tls_port_hurts_nobody() {
    let world = World::new();
    let address = world.secure(|server| server.limits = impatient()).await;
    let channel = world.channel(address);
    let long = [0x16; 70_000];
    let garbage: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &[0; 64],
        &[0x16, 3, 1, 0xff, 0xff, 1, 2, 3],
        b"\x16\x03\x01\x00\x05hello",
        &long,
    ];
    for bytes in garbage {
        let mut stream = plain(address).await;
        // The server may hang up before it has taken everything.
        let _ = stream.write_all(bytes).await;
        assert!(is_closed(&mut stream).await, "{:?}… keeps a connection", &bytes[..8]);
        say(&channel, "others do not notice").await.unwrap();
    }
    drop(plain(address).await);
    until("a port check is no attack", || world.refused("closed") == 1.0).await;
    let refused = world.refused("tls") + world.refused("handshake_timeout");
    assert_eq!(refused, garbage.len() as f64);
}

#[tokio::test]
async fn garbage_on_a_plain_port_hurts_nobody() {
    let world = World::new();
    let address = world.serve(|server| server.limits = impatient()).await;
    for bytes in
        [&b"\0\0\0\0\r\n\r\n"[..], b"GET\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnot a settings frame"]
    {
        let mut stream = plain(address).await;
        stream.write_all(bytes).await.unwrap();
        assert!(is_closed(&mut stream).await, "{bytes:?} keeps a connection");
    }
    assert!(get(plain(address).await, "/who", "").await.unwrap().contains("200 OK"));
}

#[tokio::test]
async fn those_who_never_finish_a_sentence_are_cut_off() {
    let world = World::new();
    let address = world.secure(|server| server.limits = impatient()).await;
    let mut silent = plain(address).await;
    assert!(is_closed(&mut silent).await, "a silent stranger stays");
    assert_eq!(world.refused("handshake_timeout"), 1.0);
    for (start, reason) in [
        ("", Some("silent")),
        ("PRI * HT", Some("silent")),
        ("GET /who HTTP/1.1\r\nhost: x\r\nx-slow: ", None),
    ] {
        let mut stream = world.operator(address).await.unwrap();
        let before = reason.map(|reason| world.refused(reason));
        stream.write_all(start.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        assert!(is_closed(&mut stream).await, "{start:?} keeps a connection");
        assert_eq!(reason.map(|reason| world.refused(reason)), before.map(|n| n + 1.0));
    }
}

#[tokio::test]
async fn a_drip_of_headers_does_not_move_the_deadline() {
    let world = World::new();
    let address = world.serve(|server| server.limits = impatient()).await;
    let mut stream = plain(address).await;
    stream.write_all(b"GET /who HTTP/1.1\r\n").await.unwrap();
    let drip = async {
        for n in 0.. {
            if stream.write_all(format!("x-{n}: y\r\n").as_bytes()).await.is_err() {
                break;
            }
            tokio::time::sleep(SOON / 10).await;
        }
    };
    timeout(DEADLINE, drip).await.expect("the server hangs up");
}

#[tokio::test]
async fn a_silent_http2_peer_is_pinged_and_given_up() {
    let world = World::new();
    let limits = Limits { keepalive_interval: SOON, keepalive_timeout: SOON, ..Limits::default() };
    let address = world.serve(|server| server.limits = limits).await;
    let mut stream = plain(address).await;
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&settings).await.unwrap();
    assert!(is_closed(&mut stream).await, "it never answers a ping and stays");
}

#[tokio::test]
async fn one_connection_too_many_is_closed_at_once() {
    let world = World::new();
    let address = world.serve(|server| server.limits = Limits { connections: 2, ..Limits::default() }).await;
    let (first, second) =
        (spawn(get(plain(address).await, "/wait", "")), spawn(get(plain(address).await, "/wait", "")));
    until("two are in", || world.sample("server_connections{server=\"test\"}") == 2.0).await;
    let third = get(plain(address).await, "/who", "").await;
    assert!(!matches!(&third, Ok(text) if !text.is_empty()), "{third:?}");
    assert_eq!(world.refused("full"), 1.0);
    world.gate.send(true).unwrap();
    assert!(
        first.await.unwrap().unwrap().contains("200 OK") && second.await.unwrap().unwrap().contains("200 OK")
    );
    until("both are gone", || world.sample("server_connections{server=\"test\"}") == 0.0).await;
    assert!(get(plain(address).await, "/who", "").await.unwrap().contains("200 OK"));
}

#[tokio::test]
async fn strangers_wait_for_strangers_only_until_their_deadline() {
    let world = World::new();
    let limits = Limits { handshakes: 2, ..impatient() };
    let address = world.secure(|server| server.limits = limits).await;
    let _lurkers = (plain(address).await, plain(address).await, plain(address).await);
    assert_eq!(say(&world.channel(address), "late but in").await.unwrap(), "operator/admin:late but in");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let world = World::new();
    let address =
        world.serve(|server| server.limits = Limits { header_bytes: 8192, ..Limits::default() }).await;
    let answer = get(plain(address).await, "/who", &format!("x-large: {}\r\n", "a".repeat(20_000))).await;
    assert!(answer.is_err() || answer.as_ref().unwrap().starts_with("HTTP/1.1 431"), "{answer:?}");
    assert_eq!(world.sample("server_requests_total{server=\"test\"}"), 0.0);
}

/// CVE-2023-44487: streams that are opened and reset at once cost the client nothing.
#[tokio::test]
async fn a_rapid_reset_ends_the_connection() -> io::Result<()> {
    let world = World::new();
    let address =
        world.serve(|server| server.limits = Limits { pending_resets: 16, ..Limits::default() }).await;
    let mut stream = plain(address).await;
    let mut attack = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream_id in (1u32..4000).step_by(2) {
        // HEADERS: :method GET, :scheme http, :path /, :authority of one letter; END_HEADERS, END_STREAM.
        let block = [0x82, 0x86, 0x84, 0x41, 0x01, b'x'];
        attack.extend([0, 0, block.len() as u8, 1, 5]);
        attack.extend(stream_id.to_be_bytes());
        attack.extend(block);
        // RST_STREAM: CANCEL.
        attack.extend([0, 0, 4, 3, 0]);
        attack.extend(stream_id.to_be_bytes());
        attack.extend(8u32.to_be_bytes());
    }
    let _ = stream.write_all(&attack).await;
    let mut answer = Vec::new();
    let _ = timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("the server hangs up");
    let served = world.sample("server_requests_total{server=\"test\"}");
    assert!(served < 2000.0, "every one of the resets was served");
    assert!(get(plain(address).await, "/who", "").await?.contains("200 OK"));
    Ok(())
}

#[tokio::test]
async fn an_idle_http1_connection_does_not_stay_for_ever() {
    let world = World::new();
    let address = world.serve(|server| server.limits = impatient()).await;
    let mut stream = plain(address).await;
    stream.write_all(b"GET /who HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let answer = read_all(&mut stream).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}
