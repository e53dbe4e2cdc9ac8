//! The door for PostgreSQL's clients.

use std::sync::Arc;
use std::time::Duration;

use kit::Context;
use kit::net::Listener;
use kit::tls;
use quorum::identity::cluster_id;
use ring::digest::{SHA256, digest};

use super::{Databases, SERVICE, StartError};
use crate::config::Config;
use crate::session::Clients;
use crate::wire::{Control, Ending, Options, Transport, serve};

/// How long sessions may go on when the member stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// Lets clients in, until the context's tasks are stopped.
pub(super) async fn listen(
    context: &Context,
    config: &Config,
    databases: Databases,
    identity: Option<Arc<tls::Identity>>,
) -> Result<(), StartError> {
    let listener = context.net().listen(config.client.listen).await?;
    let clients = Clients::new(databases, identity, config.client.allow.clone(), config.limits.connections);
    let mut options = Options::new(mock_key(config));
    options.tls = clients.has_tls();
    options.require_tls = clients.has_tls();
    options.startup_limit = config.limits.login;
    options.max_message = config.limits.message_bytes;
    let owned = context.clone();
    let accept = accept(owned, listener, Arc::new(clients), options);
    context.tasks().spawn_critical("PostgreSQL's clients", accept);
    Ok(())
}

/// Salts of users that there are not: the same on all members, and nobody's to compute but theirs who know the
/// cluster's token.
fn mock_key(config: &Config) -> [u8; 32] {
    let mut seed = b"flaredb mock salt ".to_vec();
    seed.extend_from_slice(&cluster_id(&SERVICE, &config.cluster_token).to_be_bytes());
    seed.extend_from_slice(config.cluster_token.as_bytes());
    let mut key = [0; 32];
    key.copy_from_slice(digest(&SHA256, &seed).as_ref());
    key
}

async fn accept(
    context: Context,
    listener: Box<dyn Listener>,
    clients: Arc<Clients>,
    options: Options,
) -> Result<(), StartError> {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(e) => {
                tracing::warn!(error = %e, "a client could not be let in");
                // Out of descriptors, most likely: whoever leaves gives one back.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (clients, options, owned) = (clients.clone(), options.clone(), context.clone());
        context.tasks().spawn(async move {
            let control = Control::new();
            let transport = Transport { stream: Box::new(stream), security: None };
            let running = serve(&*clients, transport, &options, &control);
            let mut running = std::pin::pin!(running);
            let stopping = owned.tasks().stopping();
            let ending = tokio::select! {
                ending = &mut running => ending,
                () = stopping.cancelled() => {
                    control.drain();
                    match tokio::time::timeout(FAREWELL, &mut running).await {
                        Ok(ending) => ending,
                        Err(_) => {
                            control.terminate();
                            running.await
                        }
                    }
                }
            };
            clients.forget(&control);
            if let Ending::Handshake(e) = ending {
                tracing::debug!(error = %e, "a client's handshake failed");
            }
        });
    }
}
