//! Nodes in a simulated world: streams, clocks, randomness, and disks that outlive a crash.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sim::SimNode;
use sim::node::world;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 7);

/// A server that appends one byte to its log per connection, durable or not, and tells how many it has.
async fn count(node: SimNode, durable: bool) -> Result<(), Box<dyn std::error::Error>> {
    let context = node.context();
    let listener = context.net().listen(ANY).await?;
    context.disk().create_dir_all(Path::new("/data"))?;
    let log = context.disk().open(Path::new("/data/log"), true)?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        log.write_all_at(b"x", log.size()?)?;
        if durable {
            log.sync_data()?;
            context.disk().sync_dir(Path::new("/data"))?;
        }
        stream.write_u64(log.size()?).await?;
    }
}

async fn ask(node: &SimNode) -> std::io::Result<u64> {
    let connect = node.context().net().clone();
    connect.connect("server:7").await?.read_u64().await
}

/// How many connections are remembered after three, a crash, and one more.
fn remembered(durable: bool, seed: u64) -> u64 {
    let mut sim = world(seed).build();
    let (server, client) = (SimNode::new(seed, "server"), SimNode::new(seed, "client"));
    let host = server.clone();
    sim.host("server", move || count(host.clone(), durable));
    let answers = Arc::new(Mutex::new(Vec::new()));
    let heard = answers.clone();
    sim.client("client", async move {
        while heard.lock().unwrap().len() < 4 {
            if let Ok(answer) = ask(&client).await {
                heard.lock().unwrap().push(answer);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    });
    while answers.lock().unwrap().len() < 3 {
        sim.step().unwrap();
    }
    server.crash(&mut sim, seed);
    sim.bounce("server");
    sim.run().unwrap();
    let answers = answers.lock().unwrap();
    answers[3]
}

#[test]
fn a_disk_outlives_its_host_with_what_was_synced() {
    assert!((0..10).all(|seed| remembered(true, seed) == 4));
    assert!((0..10).any(|seed| remembered(false, seed) < 4), "nothing unsynced was ever lost");
}

#[test]
fn clocks_are_skewed_and_starts_draw_afresh() {
    let mut sim = world(3).build();
    let node = SimNode::new(3, "node");
    node.set_skew(-5000);
    sim.client("node", async move {
        tokio::time::sleep(Duration::from_secs(7)).await;
        let (first, second) = (node.context(), node.context());
        assert_eq!(first.clock().unix(), sim::node::EPOCH + Duration::from_secs(2));
        node.set_skew(1000);
        assert_eq!(first.clock().unix(), sim::node::EPOCH + Duration::from_secs(8));
        assert_ne!(first.entropy().next_u64(), second.entropy().next_u64());
        Ok(())
    });
    sim.run().unwrap();
    let (again, other) = (SimNode::new(3, "node"), SimNode::new(3, "other"));
    let draw = |node: &SimNode| node.context().entropy().next_u64();
    assert_eq!(draw(&again), draw(&SimNode::new(3, "node")));
    assert_ne!(draw(&again), draw(&other));
}
