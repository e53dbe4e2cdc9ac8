//! The replicas that are asked, and as whom.

use std::collections::BTreeMap;
use std::time::Duration;

use etcd_client::{Client, ConnectOptions, Error};

/// Connections notice a dead peer within about this and half of it again.
const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// Of connecting for a stream, whose calls have no limit of their own.
const CONNECT: Duration = Duration::from_secs(5);

/// Replicas by name, and the credentials for all of them.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    options: ConnectOptions,
    urls: BTreeMap<String, String>,
    patience: Option<f64>,
}

impl Endpoints {
    /// `options` say who asks; time-outs are set by each call's own needs.
    pub fn new(options: ConnectOptions, urls: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { options, urls: urls.into_iter().collect(), patience: None }
    }

    /// The same, asked with more patience: of replicas that are so many times slower than others.
    #[must_use]
    pub fn with_patience(self, times: f64) -> Self {
        Self { patience: Some(times), ..self }
    }

    /// How long is waited for what usually takes less than that.
    pub(crate) fn patient(&self, usual: Duration) -> Duration {
        usual.mul_f64(self.patience.unwrap_or(1.0))
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.urls.keys().map(String::as_str)
    }

    /// A client of one replica whose calls end after `timeout`. It connects when it is used.
    pub async fn client(&self, name: &str, timeout: Duration) -> Result<Client, Error> {
        let timeout = self.patient(timeout);
        let options = self.lively().with_connect_timeout(timeout).with_timeout(timeout);
        self.connect(name, options).await
    }

    /// A client for watches: its streams may live long.
    pub async fn streaming_client(&self, name: &str) -> Result<Client, Error> {
        let options = self.lively().with_connect_timeout(self.patient(CONNECT));
        self.connect(name, options).await
    }

    /// Boxed: a connection's future is large, and so would be that of everybody who waits for it.
    async fn connect(&self, name: &str, options: ConnectOptions) -> Result<Client, Error> {
        Box::pin(Client::connect([self.url(name)?], Some(options))).await
    }

    fn lively(&self) -> ConnectOptions {
        let interval = self.patient(KEEP_ALIVE);
        self.options.clone().with_keep_alive(interval, interval / 2).with_keep_alive_while_idle(true)
    }

    fn url(&self, name: &str) -> Result<&str, Error> {
        let known = self.urls.get(name).map(String::as_str);
        known.ok_or_else(|| Error::InvalidArgs(format!("no replica is called {name}")))
    }
}
