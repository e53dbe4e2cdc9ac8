//! Who gets in, and who does not.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kit::Context;
use kit::client::{self, ClientOptions};
use kit::clock::Clock;
use kit::tls::{AllowList, Identity, TlsError};
use sim::ca::{Ca, Leaf};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{DEADLINE, World, get, gullible, open, say, stranger};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn grpc_and_http1_over_mutual_tls_know_their_peer() {
    let world = World::new();
    let address = world.secure(|_| {}).await;
    assert_eq!(say(&world.channel(address), "hello").await.unwrap(), "operator/admin:hello");
    let answer = get(world.operator(address).await.unwrap(), "/who", "").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("spiffe://lab/operator/admin "), "{answer}");
    assert_eq!(world.sample("server_connections_accepted_total{server=\"test\"}"), 2.0);
}

/// A certificate, changed.
fn leaf(ca: &Ca, path: &str, change: impl FnOnce(&mut Leaf)) -> Leaf {
    let mut leaf = ca.leaf(path);
    change(&mut leaf);
    leaf
}

#[tokio::test]
async fn every_wrong_certificate_is_refused_for_its_own_reason() {
    let world = World::new();
    let address = world.secure(|_| {}).await;
    let (ours, foreign) = (&world.ca, &Ca::new("lab"));
    let now = Clock::system().now();
    let cases: [(&str, &Ca, Leaf, &str); 9] = [
        ("another CA", foreign, foreign.leaf("operator/admin"), "certificate"),
        ("expired", ours, leaf(ours, "operator/admin", |l| l.until = now - HOUR), "certificate"),
        ("not yet valid", ours, leaf(ours, "operator/admin", |l| l.from = now + HOUR), "certificate"),
        ("not on the list", ours, ours.leaf("node/node01/flaredb"), "not_allowed"),
        ("no SPIFFE ID", ours, leaf(ours, "operator/admin", |l| l.uris.clear()), "no_identity"),
        (
            "two SPIFFE IDs",
            ours,
            leaf(ours, "x", |l| l.uris.push("spiffe://lab/operator/admin".into())),
            "no_identity",
        ),
        (
            "another URI",
            ours,
            leaf(ours, "x", |l| l.uris = vec!["https://lab/operator/admin".into()]),
            "no_identity",
        ),
        ("a signing certificate", ours, leaf(ours, "operator/admin", |l| l.signs = true), "no_identity"),
        (
            "another trust domain",
            ours,
            leaf(ours, "x", |l| l.uris = vec!["spiffe://prod/operator/admin".into()]),
            "trust_domain",
        ),
    ];
    for (what, ca, leaf, reason) in cases {
        let before = world.refused(reason);
        let answer = stranger(address, Some(&ca.issue(&leaf))).await;
        assert!(!matches!(&answer, Ok(text) if !text.is_empty()), "{what} got {answer:?}");
        assert_eq!(world.refused(reason), before + 1.0, "{what} was not counted as {reason}");
    }
    let nobody = stranger(address, None).await;
    assert!(!matches!(&nobody, Ok(text) if !text.is_empty()), "no certificate got {nobody:?}");
    let good = stranger(address, Some(&ours.issue(&ours.leaf("operator/bob")))).await.unwrap();
    assert!(good.contains("spiffe://lab/operator/bob"), "{good}");
}

#[tokio::test]
async fn where_clients_prove_themselves_inside_one_may_show_nothing_but_nothing_wrong() {
    let world = World::new();
    let acceptor = world
        .identity("node/node01/flaredb")
        .server(AllowList::new(["operator/*"]).unwrap())
        .open_to_all(&[b"postgresql"]);
    let operator = world.ca.issue(&world.ca.leaf("operator/admin"));
    let (node, foreign) = (world.ca.issue(&world.ca.leaf("node/node02/iam")), Ca::new("lab"));
    let stranger = foreign.issue(&foreign.leaf("operator/admin"));
    for (shown, expected) in [
        (None, Some(None)),
        (Some(&operator), Some(Some("spiffe://lab/operator/admin".to_owned()))),
        (Some(&node), None),
        (Some(&stranger), None),
    ] {
        let (near, far) = tokio::io::duplex(1 << 16);
        let mut config = rustls::ClientConfig::clone(&gullible(shown));
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let client = connector.connect("localhost".try_into().unwrap(), near);
        let (accepted, _connected) = tokio::join!(acceptor.accept(Box::new(far)), client);
        let seen = accepted.ok().map(|(_, shown)| shown.spiffe.map(|id| id.to_string()));
        assert_eq!(seen, expected);
    }
}

/// A resumed session would skip the judgement, and outlive a change of the CA.
#[tokio::test]
async fn sessions_are_not_resumed() {
    let world = World::new();
    let address = world.secure(|_| {}).await;
    let config = gullible(Some(&world.ca.issue(&world.ca.leaf("operator/admin"))));
    for _ in 0..3 {
        let mut stream = open(address, &config).await.unwrap();
        stream.write_all(b"GET /who HTTP/1.0\r\n\r\n").await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Full));
    }
}

#[tokio::test]
async fn the_refused_learn_that_it_is_about_them() {
    let world = World::new();
    let address = world.secure(|_| {}).await;
    let shown = world.ca.issue(&world.ca.leaf("node/node01/flaredb"));
    let error = stranger(address, Some(&shown)).await.unwrap_err();
    assert!(error.to_string().contains("AccessDenied"), "{error}");
}

#[tokio::test]
async fn a_client_refuses_servers_it_did_not_mean() {
    let world = World::new();
    let address = world.secure(|_| {}).await.to_string();
    let dial = async |identity: &Arc<Identity>, expect: &str| {
        let tls = identity.client(AllowList::new([expect]).unwrap());
        let result = client::connect(&world.client, &address, Some(&tls), DEADLINE).await;
        result.err().map(|e| e.to_string()).unwrap_or_default()
    };
    let ours = world.identity("operator/admin");
    assert_eq!(dial(&ours, "node/*/chainfire").await, "");
    assert_eq!(
        dial(&ours, "node/*/flaredb").await,
        format!(
            "cannot connect to {address}: spiffe://lab/node/node01/chainfire is not on the allow-list (node/*/flaredb)"
        )
    );
    let config = Ca::new("lab").write(&world.path("foreign"), "operator/admin").unwrap();
    let foreign = Identity::load(&world.client, &config).unwrap();
    let refused = dial(&foreign, "node/*/chainfire").await;
    assert!(refused.ends_with("its certificate does not pass: it is not signed by our CA"), "{refused}");
}

#[tokio::test]
async fn names_are_checked_when_asked_for() {
    let world = World::new();
    let numbered = leaf(&world.ca, "node/node01/chainfire", |l| l.names = vec!["127.0.0.1".into()]);
    let config = world.ca.write_issued(&world.path("server"), &world.ca.issue(&numbered)).unwrap();
    let acceptor = Identity::load(&world.context, &config).unwrap().server(AllowList::new(["*/*"]).unwrap());
    let port = world.serve(|server| server.acceptor = Some(acceptor)).await.port();
    let dial = async |host: &str, check: bool| {
        let tls = world.identity("operator/admin").client(AllowList::new(["node/*/*"]).unwrap());
        let tls = if check { tls.checking_name() } else { tls };
        client::connect(&world.client, &format!("{host}:{port}"), Some(&tls), DEADLINE).await.map(drop)
    };
    dial("127.0.0.1", true).await.expect("the certificate carries it");
    dial("localhost", false).await.expect("SPIFFE is enough");
    let error = dial("localhost", true).await.unwrap_err().to_string();
    assert!(error.contains("not valid for name"), "{error}");
}

#[tokio::test]
async fn a_peer_whose_certificate_ran_out_while_it_lived_is_refused() {
    let world = World::new();
    let address = world.secure(|_| {}).await;
    let old = leaf(&world.ca, "operator/admin", |l| l.until = Clock::system().now() - HOUR);
    let config = world.ca.write_issued(&world.path("old"), &world.ca.issue(&old)).unwrap();
    let yesterday = Clock::from_fn(|| Clock::system().now() - 2 * HOUR);
    let past = Context::simulated(
        yesterday,
        kit::entropy::Entropy::seeded(1),
        Arc::new(kit::disk::RealDisk),
        Arc::new(kit::net::Tcp),
    );
    let tls = Identity::load(&past, &config).unwrap().client(AllowList::new(["node/*/*"]).unwrap());
    let channel = client::grpc(&past, &address.to_string(), Some(tls), &ClientOptions::default()).unwrap();
    let error = say(&channel, "hello").await.unwrap_err();
    assert!(format!("{error:?}").contains("CertificateExpired"), "{error:?}");
    assert_eq!(world.refused("certificate"), 1.0);
}

#[tokio::test]
async fn files_that_make_no_identity_say_why() {
    let world = World::new();
    let good = world.ca.write(&world.path("good"), "operator/admin").unwrap();
    let load = |config: &kit::tls::TlsConfig| Identity::load(&world.client, config).map(drop).unwrap_err();

    let mut config = good.clone();
    config.cert = world.path("missing.pem");
    assert!(matches!(load(&config), TlsError::Read { .. }));

    config.cert = good.key.clone();
    assert!(load(&config).to_string().contains("there is no BEGIN CERTIFICATE in it"));

    let other = world.ca.write(&world.path("other"), "operator/admin").unwrap();
    config = good.clone();
    config.key = other.key.clone();
    assert!(matches!(load(&config), TlsError::Key { .. }), "{}", load(&config));

    config = good;
    config.ca = world.path("foreign.pem");
    std::fs::write(&config.ca, Ca::new("lab").pem()).unwrap();
    assert!(matches!(load(&config), TlsError::Chain { .. }), "{}", load(&config));

    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&other.key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let text = load(&other).to_string();
    assert!(text.contains("(mode 0640): chmod 600 it"), "{text}");

    let stale = leaf(&world.ca, "operator/admin", |l| l.until = SystemTime::UNIX_EPOCH + 400_000 * HOUR);
    let config = world.ca.write_issued(&world.path("stale"), &world.ca.issue(&stale)).unwrap();
    let text = load(&config).to_string();
    assert!(
        text.contains("until 2015-08-19T16:00:00Z") && text.contains("renew it, or set the clock"),
        "{text}"
    );

    let nobody = leaf(&world.ca, "x", |l| l.uris.clear());
    let config = world.ca.write_issued(&world.path("nobody"), &world.ca.issue(&nobody)).unwrap();
    assert!(matches!(load(&config), TlsError::Spiffe { .. }));
}
