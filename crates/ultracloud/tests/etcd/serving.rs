//! Members that serve: alone, over TLS, three of them, and again on what they hold.

use std::path::Path;
use std::process::Command;

use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use sim::ca::Ca;

use crate::member::{Member, free_ports, program};

fn at(command: &mut Command, kind: &str, url: &str) {
    let advertise = if kind == "client" { "advertise-client-urls" } else { "initial-advertise-peer-urls" };
    command.arg(format!("--listen-{kind}-urls={url}")).arg(format!("--{advertise}={url}"));
}

#[tokio::test]
async fn one_member_serves_ends_in_order_and_comes_back_without_a_word_about_its_founding() {
    let dir = tempfile::tempdir().unwrap();
    let [client, peer, metrics] = free_ports();
    let (url, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    let mut command = program(dir.path());
    command.args(["-name", "one", "--wal-dir", "log"]).arg(format!("--initial-cluster=one={peer}"));
    command.arg(format!("--listen-metrics-urls=http://127.0.0.1:{metrics}"));
    at(&mut command, "client", &url);
    at(&mut command, "peer", &peer);
    let mut member = Member::start(command, dir.path().join("first"));
    member.ready().await;
    let mut connected = Client::connect([&url], None).await.unwrap();
    connected.put("k", "v", None).await.unwrap();
    let known = connected.member_list().await.unwrap().members()[0].clone();
    assert_eq!((known.peer_urls(), known.client_urls()), (&[peer.clone()][..], &[url.clone()][..]));
    let mut health = std::net::TcpStream::connect(("127.0.0.1", metrics)).unwrap();
    std::io::Write::write_all(&mut health, b"GET /health HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut health, &mut answer).unwrap();
    assert!(answer.ends_with("{\"health\":\"true\",\"reason\":\"\"}"), "{answer}");
    assert!(member.stop().await.success());
    assert!(dir.path().join("one.etcd/store.redb").exists() && dir.path().join("log/wal").is_dir());

    // The environment does as well, and the data directory knows whose it is.
    let mut command = program(dir.path());
    command.env("ETCD_NAME", "one").env("ETCD_WAL_DIR", "log").env("ETCD_INITIAL_CLUSTER_TOKEN", "other");
    command.env("ETCD_LISTEN_CLIENT_URLS", &url).env("ETCD_ADVERTISE_CLIENT_URLS", &url);
    command.env("ETCD_LISTEN_PEER_URLS", &peer);
    let mut member = Member::start(command, dir.path().join("second"));
    member.ready().await;
    let mut connected = Client::connect([&url], None).await.unwrap();
    assert_eq!(connected.get("k", None).await.unwrap().kvs()[0].value(), b"v");
    let now = connected.member_list().await.unwrap().members()[0].clone();
    assert_eq!((now.id(), now.peer_urls()), (known.id(), known.peer_urls()));
    assert!(member.log().contains("this is strongly discouraged!"), "{}", member.log());
}

fn tls(ca: &Ca, issued: Option<sim::ca::Issued>) -> ConnectOptions {
    let tls = TlsOptions::new().domain_name("localhost").ca_certificate(Certificate::from_pem(ca.pem()));
    let tls = match issued {
        Some(issued) => tls.identity(Identity::from_pem(issued.cert, issued.key)),
        None => tls,
    };
    ConnectOptions::new().with_tls(tls)
}

/// Certificates as etcd's documents make them: names and addresses, no SPIFFE ID.
fn write_tls(ca: &Ca, dir: &Path) {
    let mut leaf = ca.leaf("none");
    leaf.uris.clear();
    ca.write_issued(dir, &ca.issue(&leaf)).unwrap();
}

#[tokio::test]
async fn three_members_over_tls_take_clients_with_certificates_of_their_ca() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new("anybody");
    write_tls(&ca, dir.path());
    let ports: [u16; 6] = free_ports();
    let url = |port: u16| format!("https://127.0.0.1:{port}");
    let names = ["a", "b", "c"];
    let cluster: Vec<String> =
        names.iter().zip(&ports[3..]).map(|(n, p)| format!("{n}={}", url(*p))).collect();
    let mut members = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        let mut command = program(dir.path());
        command
            .args(["--name", name, "--initial-cluster-token=t"])
            .arg("--initial-cluster")
            .arg(cluster.join(","));
        at(&mut command, "client", &url(ports[index]));
        at(&mut command, "peer", &url(ports[index + 3]));
        for prefix in ["", "peer-"] {
            command.arg(format!("--{prefix}client-cert-auth"));
            for (flag, file) in [("cert", "cert.pem"), ("key", "key.pem"), ("trusted-ca", "ca.pem")] {
                command.arg(format!("--{prefix}{flag}-file={file}"));
            }
        }
        members.push(Member::start(command, dir.path().join(format!("{name}.log"))));
    }
    for member in &mut members {
        member.ready().await;
        assert!(member.log().contains("serving client traffic securely"), "{}", member.log());
    }
    let mut leaf = ca.leaf("none");
    leaf.uris.clear();
    let mut client = Client::connect([url(ports[0])], Some(tls(&ca, Some(ca.issue(&leaf))))).await.unwrap();
    client.put("k", "v", None).await.unwrap();
    let listed = client.member_list().await.unwrap();
    assert!(listed.members().iter().all(|m| m.peer_urls()[0].starts_with("https://")), "{listed:?}");
    // Without a certificate, and with one of another CA.
    let stranger = Ca::new("anybody");
    for shown in [None, Some(stranger.issue(&stranger.leaf("none")))] {
        let refused = match Client::connect([url(ports[0])], Some(tls(&ca, shown))).await {
            Ok(mut client) => client.put("k", "w", None).await.is_err(),
            Err(_) => true,
        };
        assert!(refused);
    }
}

#[tokio::test]
async fn users_are_asked_for_once_they_are_switched_on() {
    let dir = tempfile::tempdir().unwrap();
    let [client, peer] = free_ports();
    let (url, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    let mut command = program(dir.path());
    command.args([
        "--auto-compaction-mode=revision",
        "--auto-compaction-retention=10",
        "--auth-token-ttl=60",
    ]);
    command.arg(format!("--initial-cluster=default={peer}"));
    at(&mut command, "client", &url);
    at(&mut command, "peer", &peer);
    let mut member = Member::start(command, dir.path().join("log.txt"));
    member.ready().await;
    let mut connected = Client::connect([&url], None).await.unwrap();
    connected.user_add("root", "secret", None).await.unwrap();
    connected.user_grant_role("root", "root").await.unwrap();
    connected.auth_enable().await.unwrap();
    let nobody = connected.put("k", "v", None).await.unwrap_err().to_string();
    assert!(nobody.contains("user name is empty"), "{nobody}");
    let options = ConnectOptions::new().with_user("root", "secret");
    Client::connect([&url], Some(options)).await.unwrap().put("k", "v", None).await.unwrap();
}
