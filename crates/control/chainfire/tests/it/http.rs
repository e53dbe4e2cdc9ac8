//! The HTTP endpoints beside gRPC, and bytes that are neither.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::{SOON, World};

pub(crate) async fn talk(world: &World, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is reset is an answer, too.
    let _ = timeout(SOON, stream.read_to_end(&mut answer)).await.expect("the server answers or hangs up");
    String::from_utf8_lossy(&answer).into_owned()
}

pub(crate) async fn get(world: &World, path: &str) -> String {
    talk(world, format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await
}

#[tokio::test]
async fn health_and_version_are_as_etcds() {
    let world = World::new().await;
    for path in ["/health", "/health?serializable=true"] {
        let health = get(&world, path).await;
        assert!(health.starts_with("HTTP/1.1 200 "), "{health}");
        assert!(health.ends_with("{\"health\":\"true\",\"reason\":\"\"}"), "{health}");
    }
    let version = get(&world, "/version").await;
    assert!(version.ends_with("{\"etcdserver\":\"3.5.16\",\"etcdcluster\":\"3.5.0\"}"), "{version}");
}

#[tokio::test]
async fn health_names_its_reason_and_excludes_what_it_is_told_to() {
    let world = World::new().await;
    let excluded = get(&world, "/health?exclude=NOSPACE&exclude=").await;
    assert!(excluded.ends_with("{\"health\":\"true\",\"reason\":\"\"}"), "{excluded}");
    // Another member that will never come: there is no quorum any more, and the wait for it is in vain.
    world.client().await.member_add(["http://127.0.0.1:2"], None).await.unwrap_err();
    crate::world::eventually("the quorum is lost", async || {
        let health = get(&world, "/health").await;
        let reasons = ["RAFT NO LEADER", "RANGE ERROR:etcdserver: "];
        let told = |reason: &&str| health.contains(&format!("{{\"health\":\"false\",\"reason\":\"{reason}"));
        health.starts_with("HTTP/1.1 503 ") && reasons.iter().any(told) && health.ends_with("\"}\n")
    })
    .await;
    let own = get(&world, "/health?serializable=true").await;
    assert!(own.starts_with("HTTP/1.1 200 "), "{own}");
    assert!(get(&world, "/livez").await.starts_with("HTTP/1.1 200 "));
    let ready = get(&world, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 503 "), "{ready}");
    let failed = "[+]data_corruption ok\n[+]serializable_read ok\n[-]linearizable_read failed: etcdserver: ";
    assert!(ready.contains(failed) && ready.ends_with("\n[+]non_learner ok\n\n"), "{ready}");
    let rest = get(&world, "/readyz?exclude=linearizable_read").await;
    assert!(rest.ends_with("\r\n\r\nok\n"), "{rest}");
}

#[tokio::test]
async fn livez_and_readyz_are_as_etcds() {
    let world = World::new().await;
    let all = "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\n";
    for (path, body) in [
        ("/livez", "ok\n"),
        ("/readyz", "ok\n"),
        ("/livez?verbose", "[+]serializable_read ok\nok\n"),
        ("/readyz?verbose=1", &format!("{all}ok\n")),
        ("/readyz/data_corruption?verbose", "[+]data_corruption ok\nok\n"),
        ("/readyz/linearizable_read", "ok\n"),
    ] {
        let answer = get(&world, path).await;
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&format!("\r\n\r\n{body}")),
            "{answer}"
        );
        assert!(answer.contains("content-type: text/plain; charset=utf-8\r\n"), "{answer}");
    }
    assert!(get(&world, "/livez/non_learner").await.starts_with("HTTP/1.1 404 "));
    for path in ["/health", "/livez", "/readyz", "/version", "/metrics"] {
        let post =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let answer = talk(&world, post.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: GET\r\n"), "{answer}");
        assert!(answer.ends_with("Method Not Allowed\n"), "{answer}");
    }
}

#[tokio::test]
async fn garbage_ends_its_own_connection_and_nothing_else() {
    let world = World::new().await;
    let mut client = world.client().await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GARBAGE\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        &[0; 64],
    ] {
        let answer = talk(&world, garbage).await;
        assert!(!answer.contains(" 200 "), "{answer}");
        client.put("k", "v", None).await.unwrap();
    }
}
