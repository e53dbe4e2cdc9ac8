//! Two netns nodes and everything that is done to nodes.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use lab::client::{Cluster, readiness};
use lab::netns;
use lab::node::protocol::{Damage, Launch};
use lab::node::unit::Phase;
use lab::process::{Process, poll_until};
use lab::supervisor::leftovers;
use lab::switch::faults::Link;

use crate::world::World;

const SOON: Duration = Duration::from_secs(20);

/// `beacon` says that it is ready and lives; `fickle` ends by itself at once.
const TOPOLOGY: &str = r#"
name = "pair"
network = "10.60.0.0/24"

[[node]]
name = "node01"
address = "10.60.0.11"
kind = "worker"
[[node.service]]
name = "beacon"
command = ["sleep", "1000"]
ready = "exec"

[[node]]
name = "node02"
address = "10.60.0.12"
kind = "worker"
"#;

/// A UDP socket inside a node, by the pid of its first process.
fn socket_in(node: &Process, address: Ipv4Addr) -> UdpSocket {
    let namespace = netns::of_process(node.pid).expect("the node's network namespace");
    let socket = netns::inside(namespace, || UdpSocket::bind((address, 7000))).expect("a socket in the node");
    socket.set_nonblocking(true).expect("non-blocking");
    socket
}

/// Whether a datagram arrives, sent again and again until the deadline.
fn reaches(from: &UdpSocket, to: &UdpSocket, deadline: Duration) -> bool {
    let target = to.local_addr().expect("an address");
    let mut buffer = [0; 64];
    while to.recv(&mut buffer).is_ok() {}
    poll_until(deadline, || {
        let _ = from.send_to(b"are you there", target);
        to.recv(&mut buffer).is_ok()
    })
}

/// Long enough for a datagram to arrive if it could.
const SILENCE: Duration = Duration::from_millis(300);

#[test]
fn links_are_cut_one_way_and_healed_and_a_killed_supervisor_leaves_nothing() {
    let Some(world) = World::new(TOPOLOGY) else { return };
    world.must(&["start"]);
    let state = world.state();
    let (one, two) = (&state.nodes["node01"], &state.nodes["node02"]);
    let a = socket_in(one, Ipv4Addr::new(10, 60, 0, 11));
    let b = socket_in(two, Ipv4Addr::new(10, 60, 0, 12));
    assert!(reaches(&a, &b, SOON) && reaches(&b, &a, SOON), "the nodes do not reach each other");

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let cluster = runtime.block_on(Cluster::running(&world.paths)).expect("it runs");
    runtime.block_on(cluster.cut_one_way(&["node01"], &["node02"])).expect("cut");
    assert!(!reaches(&a, &b, SILENCE), "a cut link passes");
    assert!(reaches(&b, &a, SOON), "the other direction is cut too");
    runtime.block_on(cluster.heal()).expect("heal");
    assert!(reaches(&a, &b, SOON), "a healed link does not pass");
    let lossy = Link { loss: 0.5, delay: Duration::from_millis(5), ..Link::default() };
    runtime.block_on(cluster.links(&["node01"], &["node02"], true, lossy)).expect("loss");
    assert!(reaches(&a, &b, SOON) && reaches(&b, &a, SOON), "half of the frames should pass");

    let links = world.paths.work_root.join("links");
    runtime.block_on(cluster.captures(&links)).expect("captures");
    for file in ["node01-node02.pcap", "node01-node02-dropped.pcap"] {
        let capture = std::fs::read(links.join(file)).expect(file);
        let asked = capture.windows(13).any(|w| w == b"are you there");
        assert!(asked, "{file} of {} bytes has no datagram", capture.len());
    }

    let beacon = runtime.block_on(cluster.node("node01").service("beacon")).expect("a service");
    let beacon = Process::of(beacon.host_pid.expect("it runs")).expect("it lives");
    assert!(state.supervisor.clone().expect("a supervisor").kill());
    let everything = [one, two, &beacon];
    let gone = poll_until(SOON, || everything.iter().all(|p| !p.is_alive()));
    assert!(gone, "processes outlive a killed supervisor: {everything:?}");

    // The next run finds what the kernel could not remove, and works.
    world.must(&["start"]);
    assert_ne!(world.state().supervisor, state.supervisor);
    world.must(&["stop"]);
    assert!(!world.paths.runtime.exists(), "sockets are left");
    assert_eq!(world.state().cgroup, None);
    if let Some(cgroup) = state.cgroup {
        assert!(!cgroup.exists(), "{} is left", cgroup.display());
    }
    assert!(leftovers::clean(&world.paths).expect("a look").is_empty(), "something is left");
    world.must(&["clean"]);
    assert!(!world.paths.state.exists(), "clean leaves {}", world.paths.state.display());
}

/// One mebibyte over TCP, byte for byte.
fn transfers(from: &Process, to: &Process) {
    let content: Vec<u8> = (0..1u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let address = (Ipv4Addr::new(10, 60, 0, 12), 7001);
    let listener = netns::inside(netns::of_process(to.pid).expect("netns"), || TcpListener::bind(address));
    let listener = listener.expect("a listener in the node");
    let sent = content.clone();
    let sender = netns::of_process(from.pid).expect("netns");
    let sending = std::thread::spawn(move || {
        let mut stream = netns::inside(sender, || TcpStream::connect(address)).expect("a connection");
        stream.write_all(&sent).expect("sent");
    });
    let (mut stream, _) = listener.accept().expect("accepted");
    stream.set_read_timeout(Some(SOON)).expect("a deadline");
    let mut got = Vec::new();
    stream.read_to_end(&mut got).expect("read to the end");
    sending.join().expect("the sender");
    assert!(got == content, "{} of {} bytes came, or others", got.len(), content.len());
}

/// Segmentation offloads are switched off and on by a loss; TCP must not notice beyond the loss.
#[test]
fn tcp_survives_a_lossy_link_and_its_healing() {
    let Some(world) = World::new(TOPOLOGY) else { return };
    world.must(&["start"]);
    let state = world.state();
    let (one, two) = (&state.nodes["node01"], &state.nodes["node02"]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let cluster = runtime.block_on(Cluster::running(&world.paths)).expect("it runs");
    transfers(one, two);
    let frames = || {
        let status = runtime.block_on(cluster.status()).expect("status");
        let port = status.switch.iter().find(|p| p.name == "node01").expect("a port").counters;
        (port.sent_frames, port.sent_bytes)
    };
    let (frames_before, bytes_before) = frames();
    let lossy = Link { loss: 0.02, ..Link::default() };
    runtime.block_on(cluster.links(&["node01"], &["node02"], true, lossy)).expect("loss");
    transfers(one, two);
    let (frames_after, bytes_after) = frames();
    let mean = (bytes_after - bytes_before) / (frames_after - frames_before);
    assert!(mean <= 1514, "frames of {mean} bytes: a loss would take a whole segment");
    runtime.block_on(cluster.heal()).expect("heal");
    transfers(one, two);
}

#[test]
fn services_are_kept_as_their_unit_says() {
    let Some(world) = World::new(TOPOLOGY) else { return };
    world.must(&["start"]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let cluster = Cluster::running(&world.paths).await.expect("it runs");
        let node = cluster.node("node01");
        let service = async || node.service("beacon").await.expect("a service").status;
        let until = async |what: &str, wanted: &dyn Fn(&lab::node::protocol::ServiceStatus) -> bool| {
            let waiting = async {
                while !wanted(&service().await) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            assert!(tokio::time::timeout(SOON, waiting).await.is_ok(), "never {what}: {:?}", service().await);
        };
        node.kill("beacon").await.expect("killed");
        until("started again", &|s| s.starts == 2 && s.phase == Phase::Active).await;
        node.kill_and_hold("beacon").await.expect("killed");
        until("held down", &|s| s.phase == Phase::Inactive).await;
        node.start_as("beacon", Launch { env: [("X".into(), "1".into())].into(), ..Launch::default() })
            .await
            .expect("started");
        until("up", &|s| s.phase == Phase::Active).await;
        assert!(node.start("beacon").await.is_err(), "it runs already");
        node.pause("beacon").await.expect("paused");
        assert!(service().await.paused);
        node.stop("beacon").await.expect("a paused service stops too");
        assert_eq!(service().await.phase, Phase::Inactive);
        assert!(node.stop("nobody").await.unwrap_err().to_string().contains("no service is called nobody"));
        assert!(
            cluster.node("node09").exec(&["true"]).await.unwrap_err().to_string().contains("no node node09")
        );
        assert!(readiness(&cluster.status().await.expect("status")).is_err(), "a stopped service is not up");
    });
}

#[test]
fn files_disks_and_commands_on_a_node() {
    let Some(world) = World::new(TOPOLOGY) else { return };
    world.must(&["start"]);
    let out = world.must(&["ssh", "node02", "--", "sh", "-c", "hostname; getent hosts node01; id -u"]);
    assert_eq!(out.lines().collect::<Vec<_>>(), ["node02", "10.60.0.11      node01", "0"]);
    assert_eq!(world.lab(&["ssh", "node02", "--", "sh", "-c", "exit 7"]).status.code(), Some(7));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let cluster = Cluster::running(&world.paths).await.expect("it runs");
        let node = cluster.node("node01");
        let data = "/var/lib/ultracloud/beacon";
        let file = format!("{data}/a/log.wal");
        node.push(&file, 0o600, &[1; 3 << 20]).await.expect("pushed");
        assert_eq!(node.files(data).await.expect("a list")[0].size, 3 << 20);
        node.damage(&file, Damage::Truncate { size: 10 }).await.expect("damaged");
        assert_eq!(node.exec(&["wc", "-c", &file]).await.expect("ran").stdout, format!("10 {file}\n"));
        let refused = node.small_disk("beacon", 16).await.unwrap_err().to_string();
        assert!(refused.contains("beacon runs"), "{refused}");
        node.stop("beacon").await.expect("stopped");
        let kind = node.small_disk("beacon", 16).await.expect("a small disk");
        eprintln!("small disk: {kind}");
        assert_eq!(node.files(data).await.expect("a list").iter().filter(|f| f.path == file).count(), 1);
        node.ballast("beacon", Some(0)).await.expect("filled");
        let write = ["sh", "-c", "head -c 1000000 /dev/zero > /var/lib/ultracloud/beacon/more"];
        assert!(!node.exec(&write).await.expect("ran").exit.is_clean(), "a full disk takes more");
        node.ballast("beacon", None).await.expect("freed");
        assert!(node.exec(&write).await.expect("ran").exit.is_clean(), "a freed disk takes nothing");
        node.power_cut().await.expect("cut");
        assert!(node.exec(&["true"]).await.is_err(), "it is off");
        node.power_on().await.expect("on");
        assert!(node.exec(&["true"]).await.expect("ran").exit.is_clean());
    });
}

#[test]
fn the_command_line_says_what_is_wrong() {
    let Some(world) = World::new(TOPOLOGY) else { return };
    let says = |arguments: &[&str], code: i32, word: &str| {
        let output = world.lab(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(word), "{arguments:?}: {said}");
    };
    says(&["status"], 3, "no cluster is running");
    says(&["env"], 1, "./cluster start");
    says(&["validate"], 1, "");
    says(&["fly"], 2, "unrecognized subcommand");
    world.must(&["work-root-budget", "status"]);
    let result =
        std::fs::read(world.paths.work_root.join("smoke/latest/result.json")).expect("evidence of a failure");
    let result: serde_json::Value = serde_json::from_slice(&result).expect("JSON");
    assert_eq!(result["success"], false);
    assert!(result["error"].as_str().expect("an error").contains("no cluster is running"));
}
