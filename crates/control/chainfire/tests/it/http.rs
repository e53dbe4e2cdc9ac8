//! The HTTP endpoints beside gRPC, and bytes that are neither.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::{SOON, World};

async fn talk(world: &World, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is reset is an answer, too.
    let _ = timeout(SOON, stream.read_to_end(&mut answer)).await.expect("the server answers or hangs up");
    String::from_utf8_lossy(&answer).into_owned()
}

async fn get(world: &World, path: &str) -> String {
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
