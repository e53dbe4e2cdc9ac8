//! systemd's D-Bus interface (org.freedesktop.systemd1(5)), as far as it is needed.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use serde::Serialize;
use tokio::time::Instant;
use zbus::message::Type;
use zbus::{Connection, DynamicType, MatchRule, Message, MessageStream, OwnedObjectPath, OwnedVariant};

use super::record::Snapshot;

/// Whom the bus knows systemd as.
const SYSTEMD: &str = "org.freedesktop.systemd1";
const MANAGER: &str = "/org/freedesktop/systemd1";
const MANAGER_INTERFACE: &str = "org.freedesktop.systemd1.Manager";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE: &str = "org.freedesktop.systemd1.Service";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// The bus starts a little later than the agent.
const PATIENCE: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(100);

/// A conversation with systemd.
#[derive(Clone)]
pub(super) struct Bus {
    connection: Connection,
}

impl Bus {
    /// Connects as soon as the bus is up, and asks to be told of changes.
    pub(super) async fn connect() -> Result<Self> {
        let deadline = Instant::now() + PATIENCE;
        let connection = loop {
            match Connection::system().await {
                Ok(connection) => break connection,
                Err(e) if Instant::now() >= deadline => return Err(e).context("the bus does not come up"),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        };
        let bus = Self { connection };
        bus.manager("Subscribe", &()).await?;
        Ok(bus)
    }

    async fn call<B: Serialize + DynamicType>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> Result<Message> {
        let answer = self.connection.call_method(Some(SYSTEMD), path, Some(interface), method, body).await;
        answer.with_context(|| format!("systemd refuses {method}"))
    }

    async fn manager<B: Serialize + DynamicType>(&self, method: &str, body: &B) -> Result<Message> {
        self.call(MANAGER, MANAGER_INTERFACE, method, body).await
    }

    async fn get<T: TryFrom<OwnedVariant>>(&self, path: &str, interface: &str, property: &str) -> Result<T> {
        let answer = self.call(path, PROPERTIES, "Get", &(interface, property)).await?;
        let value: OwnedVariant = answer.body().deserialize()?;
        T::try_from(value).ok().with_context(|| format!("systemd's {property} is of another type"))
    }

    /// The object of a unit, which must have been found. systemd keeps it while this connection lives: of a unit
    /// that nobody wants and that ended well it would forget how it ended.
    pub(super) async fn load(&self, unit: &str) -> Result<String> {
        let answer = self.manager("LoadUnit", &(unit,)).await?;
        let path: OwnedObjectPath = answer.body().deserialize()?;
        let state: String = self.get(path.as_str(), UNIT, "LoadState").await?;
        ensure!(state == "loaded", "systemd says that {unit} is {state}");
        self.manager("RefUnit", &(unit,)).await?;
        Ok(path.to_string())
    }

    pub(super) async fn start(&self, unit: &str) -> Result<()> {
        self.manager("StartUnit", &(unit, "replace")).await.map(drop)
    }

    pub(super) async fn stop(&self, unit: &str) -> Result<()> {
        self.manager("StopUnit", &(unit, "replace")).await.map(drop)
    }

    pub(super) async fn kill(&self, unit: &str, whom: &str, signal: i32) -> Result<()> {
        self.manager("KillUnit", &(unit, whom, signal)).await.map(drop)
    }

    /// A unit that systemd does not keep has not failed either.
    pub(super) async fn reset_failed(&self, unit: &str) {
        let _ = self.manager("ResetFailedUnit", &(unit,)).await;
    }

    pub(super) async fn reload(&self) -> Result<()> {
        self.manager("Reload", &()).await.map(drop)
    }

    pub(super) async fn power_off(&self) -> Result<()> {
        self.manager("StartUnit", &("poweroff.target", "replace-irreversibly")).await.map(drop)
    }

    /// How a service is now.
    pub(super) async fn snapshot(&self, path: &str) -> Result<Snapshot> {
        let (active, sub, text, pid, restarts, code, status, started) = futures::try_join!(
            self.get(path, UNIT, "ActiveState"),
            self.get(path, UNIT, "SubState"),
            self.get(path, SERVICE, "StatusText"),
            self.get::<u32>(path, SERVICE, "MainPID"),
            self.get(path, SERVICE, "NRestarts"),
            self.get(path, SERVICE, "ExecMainCode"),
            self.get(path, SERVICE, "ExecMainStatus"),
            self.get(path, SERVICE, "ExecMainStartTimestampMonotonic"),
        )?;
        Ok(Snapshot { active, sub, text, pid: pid.cast_signed(), restarts, code, status, started })
    }

    /// The objects of which something has changed, as systemd says it.
    pub(super) async fn changes(&self) -> Result<Changes> {
        let rule = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender(SYSTEMD)
            .interface(PROPERTIES)
            .member("PropertiesChanged")
            .build()?;
        Ok(Changes { messages: MessageStream::for_match_rule(rule, &self.connection, None).await? })
    }
}

/// What systemd says without being asked.
pub(super) struct Changes {
    messages: MessageStream,
}

impl Changes {
    /// The next object of which something has changed.
    pub(super) async fn next(&mut self) -> Result<String> {
        loop {
            let message = self.messages.next().await.context("systemd has closed the connection")??;
            if let Some(path) = message.header().path() {
                return Ok(path.to_string());
            }
        }
    }
}
