//! Outgoing channels when the other side does not play along.

use std::time::Duration;

use kit::client::{self, ClientOptions, was_never_sent};
use tokio::net::TcpListener;

use crate::support::{DEADLINE, World, say};

fn options() -> ClientOptions {
    ClientOptions { connect_timeout: Duration::from_millis(200), ..ClientOptions::default() }
}

#[tokio::test]
async fn a_refused_connection_was_never_sent_and_a_failed_call_was() {
    let world = World::new();
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let channel = client::grpc(&world.client, &gone, None, &options()).unwrap();
    let status = say(&channel, "hello").await.unwrap_err();
    assert!(was_never_sent(&status), "{status:?}");
    assert_eq!(status.code(), tonic::Code::Unavailable);

    let address = world.serve(|_| {}).await.to_string();
    let channel = client::grpc(&world.client, &address, None, &options()).unwrap();
    let status = say(&channel, "fail").await.unwrap_err();
    assert_eq!(status.message(), "asked to fail");
    assert!(!was_never_sent(&status), "{status:?}");
}

#[tokio::test]
async fn a_channel_connects_again_when_the_server_is_back() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let channel = client::grpc(&world.client, &address.to_string(), None, &options()).unwrap();
    say(&channel, "nobody there").await.unwrap_err();
    let again = world.context.net().listen(address).await.unwrap();
    world.serve(|server| server.listener = again).await;
    assert_eq!(say(&channel, "hello").await.unwrap(), "nobody:hello");
}

#[tokio::test]
async fn a_server_that_never_shakes_hands_costs_the_connect_timeout() {
    let world = World::new();
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = mute.local_addr().unwrap();
    let tls = world.identity("operator/admin").client(kit::tls::AllowList::new(["node/*/*"]).unwrap());
    let channel = client::grpc(&world.client, &address.to_string(), Some(tls), &options()).unwrap();
    let status = tokio::time::timeout(DEADLINE, say(&channel, "hello")).await.unwrap().unwrap_err();
    assert!(format!("{status:?}").contains("no connection within 200ms"), "{status:?}");
    assert!(was_never_sent(&status));
}
