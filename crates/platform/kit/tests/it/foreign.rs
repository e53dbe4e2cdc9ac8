//! TLS with other people's certificates: who gets in, by which name, and what a reload does.

use kit::client;
use kit::tls::{ForeignConfig, ForeignTls, TlsConfig, TlsError};
use sim::ca::{Ca, Issued};

use crate::support::{DEADLINE, World, get, stranger};

/// A certificate without a SPIFFE ID, for these names.
fn named(ca: &Ca, names: &[&str]) -> Issued {
    let mut leaf = ca.leaf("none");
    leaf.uris.clear();
    leaf.names = names.iter().map(|name| (*name).to_owned()).collect();
    ca.issue(&leaf)
}

fn config(files: &TlsConfig, ca: bool) -> ForeignConfig {
    let ca = ca.then(|| files.ca.clone());
    ForeignConfig { cert: files.cert.clone(), key: files.key.clone(), ca, ..ForeignConfig::default() }
}

#[tokio::test]
async fn who_shows_no_certificate_of_our_authority_is_refused() {
    let world = World::new();
    let files =
        world.ca.write_issued(&world.path("f"), &named(&world.ca, &["localhost", "127.0.0.1"])).unwrap();
    let tls = ForeignTls::load(&world.context, &config(&files, true)).unwrap();
    let address = world.serve(|server| server.acceptor = Some(tls.server())).await;
    let stream = client::connect(&world.client, &address.to_string(), Some(&tls.client()), DEADLINE).await;
    let answer = get(stream.unwrap(), "/who", "").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("nobody "), "{answer}");
    let other = Ca::new("lab");
    for shown in [None, Some(named(&other, &["localhost"]))] {
        assert!(stranger(address, shown.as_ref()).await.is_err());
    }
    assert_eq!(world.refused("tls"), 2.0);
}

#[tokio::test]
async fn without_an_authority_everybody_gets_in_and_no_server_is_trusted() {
    let world = World::new();
    let files = world.ca.write_issued(&world.path("f"), &named(&world.ca, &["localhost"])).unwrap();
    let tls = ForeignTls::load(&world.context, &config(&files, false)).unwrap();
    let address = world.serve(|server| server.acceptor = Some(tls.server())).await;
    assert!(stranger(address, None).await.unwrap().contains("nobody "));
    let refused = client::connect(&world.client, &address.to_string(), Some(&tls.client()), DEADLINE).await;
    let Err(why) = refused else { panic!("a server without an authority was trusted") };
    assert!(why.to_string().contains("no CA is configured"), "{why}");
}

#[tokio::test]
async fn a_name_may_be_asked_of_clients_and_is_asked_of_servers() {
    let world = World::new();
    let files = world.ca.write_issued(&world.path("f"), &named(&world.ca, &["node01", "localhost"])).unwrap();
    let mut wanted = config(&files, true);
    wanted.host = Some("node07".to_owned());
    let tls = ForeignTls::load(&world.context, &wanted).unwrap();
    let address = world.serve(|server| server.acceptor = Some(tls.server())).await;
    // It is certified for other names than the address that is dialled.
    let dialled = client::connect(&world.client, &address.to_string(), Some(&tls.client()), DEADLINE).await;
    assert!(dialled.is_err());
    // TLS 1.3 lets a client finish first: it learns of the refusal when it reads.
    let refused = stranger(address, Some(&named(&world.ca, &["node01"]))).await;
    assert_eq!(refused.unwrap_or_default(), "");
    assert_eq!(world.refused("not_allowed"), 1.0);
    assert!(stranger(address, Some(&named(&world.ca, &["node07"]))).await.unwrap().contains("nobody "));
}

#[tokio::test]
async fn new_files_are_taken_over_and_bad_ones_are_not() {
    let world = World::new();
    let dir = world.path("f");
    let files = world.ca.write_issued(&dir, &named(&world.ca, &["localhost", "127.0.0.1"])).unwrap();
    let tls = ForeignTls::load(&world.context, &config(&files, true)).unwrap();
    assert!(!tls.reload().unwrap());
    std::fs::write(&files.cert, "nothing").unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Pem { .. })));
    let address = world.serve(|server| server.acceptor = Some(tls.server())).await;
    let good = client::connect(&world.client, &address.to_string(), Some(&tls.client()), DEADLINE).await;
    good.unwrap();
    // Another authority: who came by the old one is a stranger now.
    let other = Ca::new("other");
    other.write_issued(&dir, &named(&other, &["localhost", "127.0.0.1"])).unwrap();
    assert!(tls.reload().unwrap());
    assert!(stranger(address, Some(&named(&world.ca, &["localhost"]))).await.is_err());
    assert!(stranger(address, Some(&named(&other, &["localhost"]))).await.is_ok());
}

#[test]
fn suites_that_are_not_there_are_named_beside_those_that_are() {
    let world = World::new();
    let files = world.ca.write_issued(&world.path("f"), &named(&world.ca, &["localhost"])).unwrap();
    let mut wanted = config(&files, false);
    wanted.suites = vec!["TLS_RSA_WITH_RC4_128_SHA".to_owned()];
    let told = ForeignTls::load(&world.context, &wanted).unwrap_err().to_string();
    assert!(
        told.contains("TLS_RSA_WITH_RC4_128_SHA") && told.contains("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        "{told}"
    );
}
