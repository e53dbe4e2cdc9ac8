//! The server and the client inside a simulation: the same code, another network and clock.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use kit::client::{self, ClientOptions};
use kit::server::{Limits, Server};
use sim::SimNode;
use sim::node::world;
use tonic::client::GrpcService;

const QUICK: Duration = Duration::from_millis(300);
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 80);

async fn serve(node: SimNode) -> Result<(), Box<dyn std::error::Error>> {
    let context = node.context();
    let listener = context.net().listen(ANY).await?;
    let router = Router::new().route("/id", get(async || "hello"));
    let mut server = Server::new("simulated", listener, router);
    server.limits = Limits { keepalive_interval: QUICK, keepalive_timeout: QUICK, ..Limits::default() };
    server.run(&context).await?;
    Ok(())
}

/// What a client saw: its steps, each with the simulated time and the request's id.
fn trace(seed: u64) -> Vec<String> {
    let mut sim = world(seed).build();
    let (server, client) = (SimNode::new(seed, "server"), SimNode::new(seed, "client"));
    sim.host("server", move || serve(server.clone()));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    sim.client("client", async move {
        let context = client.context();
        let options = ClientOptions {
            keepalive_interval: QUICK,
            keepalive_timeout: QUICK,
            connect_timeout: QUICK,
            ..ClientOptions::default()
        };
        let mut channel = client::grpc(&context, "server:80", None, &options)?;
        let mut ask = async |what: &str| {
            let request = http::Request::get("/id").body(tonic::body::Body::empty()).unwrap();
            std::future::poll_fn(|cx| channel.poll_ready(cx)).await.unwrap();
            let answer = tokio::time::timeout(Duration::from_secs(1), channel.call(request)).await;
            let id = answer
                .ok()
                .and_then(Result::ok)
                .map(|a| a.headers()["x-request-id"].to_str().unwrap().to_owned());
            let now = turmoil::sim_elapsed().unwrap();
            log.lock().unwrap().push(format!("{now:?} {what} {}", id.as_deref().unwrap_or("failed")));
            id.is_some()
        };
        assert!(ask("at first").await);
        turmoil::partition("client", "server");
        assert!(!ask("while parted").await);
        tokio::time::sleep(Duration::from_secs(5)).await;
        turmoil::repair("client", "server");
        assert!(ask("after the repair").await, "keep-alive did not find the dead connection");
        // Nothing is asked meanwhile: only the idle connection can notice.
        turmoil::partition("client", "server");
        tokio::time::sleep(Duration::from_secs(5)).await;
        turmoil::repair("client", "server");
        assert!(ask("after an idle while").await, "keep-alive did not find the dead idle connection");
        Ok(())
    });
    sim.run().unwrap();
    drop(sim);
    Arc::try_unwrap(seen).unwrap().into_inner().unwrap()
}

#[test]
fn one_seed_gives_one_trace_and_keep_alive_survives_a_partition() {
    let first = trace(7);
    assert_eq!(first.len(), 4);
    assert_eq!(first, trace(7));
    assert_ne!(first, trace(8));
}
