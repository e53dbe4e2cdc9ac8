//! Certificates change under load, and sometimes for the worse.

use std::time::Duration;

use kit::tls::{AllowList, Identity, TlsError};
use sim::ca::Ca;

use crate::support::{World, get, overwrite, say, spawn, until};

#[tokio::test]
async fn a_renewed_certificate_drops_no_request_and_serves_new_connections() {
    let world = World::new();
    let config = world.ca.write(&world.path("server"), "node/node01/chainfire").unwrap();
    let identity = Identity::load(&world.context, &config).unwrap();
    let acceptor = identity.server(AllowList::new(["operator/*"]).unwrap());
    let address = world.serve(|server| server.acceptor = Some(acceptor)).await;
    let channel = world.channel(address);
    say(&channel, "before").await.unwrap();
    let running = spawn(get(world.operator(address).await.unwrap(), "/wait", ""));
    until("the request runs", || world.sample("server_requests_total{server=\"test\"}") == 2.0).await;

    let mut renewed = world.ca.leaf("node/node01/chainfire");
    renewed.until += Duration::from_secs(3600);
    world.ca.write_issued(&world.path("server"), &world.ca.issue(&renewed)).unwrap();
    let before = identity.expires();
    assert!(identity.reload().unwrap());
    assert!(identity.expires() > before);
    assert!(!identity.reload().unwrap(), "nothing changed since");

    say(&world.channel(address), "new connection").await.unwrap();
    say(&channel, "old connection").await.unwrap();
    world.gate.send(true).unwrap();
    let answer = running.await.unwrap().unwrap();
    assert!(answer.contains("spiffe://lab/operator/admin"), "{answer}");
    assert_eq!(world.sample("server_connections_accepted_total{server=\"test\"}"), 3.0);
}

#[tokio::test]
async fn a_new_ca_is_taken_over_and_the_old_one_forgotten() {
    let world = World::new();
    let config = world.ca.write(&world.path("server"), "node/node01/chainfire").unwrap();
    let identity = Identity::load(&world.context, &config).unwrap();
    let acceptor = identity.server(AllowList::new(["operator/*"]).unwrap());
    let address = world.serve(|server| server.acceptor = Some(acceptor)).await;
    let successor = Ca::new("lab");
    let operator = successor.issue(&successor.leaf("operator/admin"));
    let old = world.ca.issue(&world.ca.leaf("operator/admin"));
    assert!(crate::support::stranger(address, Some(&operator)).await.is_err());

    overwrite(&config.ca, &format!("{}{}", world.ca.pem(), successor.pem()));
    assert!(identity.reload().unwrap());
    for shown in [&operator, &old] {
        let answer = crate::support::stranger(address, Some(shown)).await.unwrap();
        assert!(answer.contains("operator/admin"), "{answer}");
    }

    successor.write(&world.path("server"), "node/node01/chainfire").unwrap();
    assert!(identity.reload().unwrap());
    assert!(crate::support::stranger(address, Some(&old)).await.is_err(), "the old CA still opens the door");
}

#[tokio::test]
async fn bad_new_files_are_refused_and_the_old_identity_stays() {
    let world = World::new();
    let config = world.ca.write(&world.path("server"), "node/node01/chainfire").unwrap();
    let identity = Identity::load(&world.context, &config).unwrap();
    let acceptor = identity.server(AllowList::new(["operator/*"]).unwrap());
    let address = world.serve(|server| server.acceptor = Some(acceptor)).await;

    overwrite(&config.cert, "garbage");
    assert!(matches!(identity.reload().unwrap_err(), TlsError::Pem { .. }));
    let half = world.ca.issue(&world.ca.leaf("node/node01/chainfire"));
    overwrite(&config.cert, &half.cert);
    assert!(matches!(identity.reload().unwrap_err(), TlsError::Key { .. }), "half a renewal was taken");
    let other = world.ca.issue(&world.ca.leaf("node/node02/chainfire"));
    world.ca.write_issued(&world.path("server"), &other).unwrap();
    assert!(matches!(identity.reload().unwrap_err(), TlsError::OtherIdentity { .. }));
    identity.reload_and_log();
    say(&world.channel(address), "still here").await.unwrap();

    overwrite(&config.cert, &half.cert);
    overwrite(&config.key, &half.key);
    assert!(identity.reload().unwrap(), "the other half arrived");
}

#[tokio::test]
async fn files_are_watched() {
    let world = World::new();
    let mut config = world.ca.write(&world.path("server"), "node/node01/chainfire").unwrap();
    config.reload = Duration::from_millis(10);
    let identity = Identity::load(&world.context, &config).unwrap();
    let before = identity.expires();
    let mut renewed = world.ca.leaf("node/node01/chainfire");
    renewed.until += Duration::from_secs(3600);
    world.ca.write_issued(&world.path("server"), &world.ca.issue(&renewed)).unwrap();
    until("the new certificate is found", || identity.expires() > before).await;
}
