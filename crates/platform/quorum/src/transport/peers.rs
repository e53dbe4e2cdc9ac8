//! Connections to peers, made when first needed and shared by every group.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use kit::Context;
use kit::client::{self, ClientOptions};
use kit::tls::TlsConnector;
use tonic::transport::Channel;

use crate::member::Member;
use crate::wire::proto;

type Client = proto::replication_client::ReplicationClient<Channel>;

/// The largest message between replicas: a proposal of the largest size and its frame.
pub(crate) const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// The connections of one process, by address.
#[derive(Clone)]
pub(crate) struct Peers {
    inner: Arc<Inner>,
}

struct Inner {
    context: Context,
    tls: Option<TlsConnector>,
    options: ClientOptions,
    channels: Mutex<BTreeMap<String, Channel>>,
}

impl Peers {
    pub(crate) fn new(context: &Context, tls: Option<TlsConnector>, options: ClientOptions) -> Self {
        let channels = Mutex::new(BTreeMap::new());
        Self { inner: Arc::new(Inner { context: context.clone(), tls, options, channels }) }
    }

    /// A client for a member; none if it has no usable address.
    pub(crate) fn client(&self, member: &Member) -> Option<Client> {
        self.client_at(member.peer_addresses.first()?)
    }

    /// A client for `host:port`; none if it is not an address.
    pub(crate) fn client_at(&self, address: &str) -> Option<Client> {
        let mut channels = self.inner.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = match channels.get(address) {
            Some(known) => known.clone(),
            None => {
                let made = self.connect(address)?;
                channels.insert(address.to_owned(), made.clone());
                made
            }
        };
        Some(
            Client::new(channel)
                .max_decoding_message_size(MAX_MESSAGE_BYTES)
                .max_encoding_message_size(MAX_MESSAGE_BYTES),
        )
    }

    fn connect(&self, address: &str) -> Option<Channel> {
        let Inner { context, tls, options, .. } = self.inner.as_ref();
        let made = client::grpc(context, address, tls.clone(), options);
        made.inspect_err(
            |e| tracing::error!(error = %e, "a member cannot be reached; correct its peer address"),
        )
        .ok()
    }
}
