//! Mutual TLS on the client port: who is let in, and who is not.

use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use kit::tls::AllowList;
use sim::ca::Ca;

use crate::world::World;

async fn put(world: &World, trusted: &Ca, own: &Ca, path: &str) -> Result<(), etcd_client::Error> {
    let leaf = own.issue(&own.leaf(path));
    let tls = TlsOptions::new()
        .domain_name("localhost")
        .ca_certificate(Certificate::from_pem(trusted.pem()))
        .identity(Identity::from_pem(leaf.cert, leaf.key));
    let options = ConnectOptions::new().with_tls(tls);
    let mut client = Client::connect([format!("https://{}", world.address())], Some(options)).await?;
    client.put("k", "v", None).await.map(drop)
}

#[tokio::test]
async fn only_who_is_on_the_list_gets_in() {
    let (ca, stranger) = (Ca::new("lab"), Ca::new("lab"));
    let dir = tempfile::tempdir().unwrap();
    let tls = ca.write(dir.path(), "node/one/chainfire").unwrap();
    let world = World::with(|config| {
        config.tls = Some(tls);
        config.client.allow = AllowList::new(["operator/*"]).unwrap();
    })
    .await;
    put(&world, &ca, &ca, "operator/admin").await.unwrap();
    assert!(put(&world, &ca, &ca, "node/one/other").await.is_err(), "not on the list");
    assert!(put(&world, &ca, &stranger, "operator/admin").await.is_err(), "of another CA");
    assert_eq!(world.node.store().view().head(), 2);
}
