//! The services of a netns node, each looked after by a keeper.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use kit::task::Tasks;
use nix::sys::signal::Signal;

use super::service::{Order, Service};
use crate::agent::reaper::Reaper;
use crate::agent::{Marker, Services};
use crate::node::protocol::{Launch, ServiceStatus};
use crate::node::unit::{Phase, Unit};

/// The services that were defined.
pub(super) struct Kept {
    mark: Marker,
    reaper: Arc<Reaper>,
    tasks: Tasks,
    cgroup: Option<PathBuf>,
    services: Mutex<BTreeMap<String, Service>>,
}

impl Kept {
    pub(super) fn new(mark: Marker, reaper: Arc<Reaper>, tasks: Tasks, cgroup: Option<PathBuf>) -> Self {
        Self { mark, reaper, tasks, cgroup, services: Mutex::default() }
    }

    fn service(&self, name: &str) -> Result<Service> {
        let services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        services.get(name).cloned().with_context(|| format!("no service is called {name} here"))
    }

    fn all(&self) -> Vec<Service> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

#[async_trait]
impl Services for Kept {
    async fn define(&self, unit: Unit) -> Result<()> {
        let name = unit.name.clone();
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = services.get(&name) {
            let phase = old.status.borrow().phase;
            if !matches!(phase, Phase::Inactive | Phase::Failed) {
                bail!("{name} is {phase:?}: stop it before it is defined anew");
            }
            // Its keeper ends with the last handle; the socket's name is taken over.
            services.remove(&name);
        }
        let (service, keeper) =
            Service::new(unit, Arc::clone(&self.reaper), self.cgroup.as_deref(), self.mark.clone())
                .with_context(|| format!("cannot prepare {name}"))?;
        self.tasks.spawn(keeper);
        services.insert(name, service);
        Ok(())
    }

    fn unit(&self, name: &str) -> Result<Unit> {
        Ok(self.service(name)?.unit)
    }

    fn status(&self) -> BTreeMap<String, ServiceStatus> {
        self.all().into_iter().map(|s| (s.unit.name, s.status.borrow().clone())).collect()
    }

    async fn start(&self, name: &str, how: Launch) -> Result<()> {
        let service = self.service(name)?;
        let before = service.status.borrow().starts;
        service.order(Order::Start(how)).await;
        service.until(|s| s.starts > before || s.last_exit.is_some_and(|e| e.code == Some(203))).await;
        Ok(())
    }

    async fn stop(&self, name: &str) -> Result<()> {
        let service = self.service(name)?;
        service.order(Order::Stop).await;
        service.until(|s| s.pid.is_none() && matches!(s.phase, Phase::Inactive | Phase::Failed)).await;
        Ok(())
    }

    async fn signal(&self, name: &str, signal: Signal, hold: bool) -> Result<()> {
        let service = self.service(name)?;
        let (pid, starts) = {
            let status = service.status.borrow();
            (status.pid, status.starts)
        };
        let Some(pid) = pid else {
            if hold {
                service.order(Order::Stop).await;
                return Ok(());
            }
            bail!("{name} does not run");
        };
        service.order(Order::Signal { signal: signal as i32, hold }).await;
        match signal {
            Signal::SIGSTOP => service.until(|s| s.paused || s.pid != Some(pid)).await,
            Signal::SIGCONT => service.until(|s| !s.paused || s.pid != Some(pid)).await,
            Signal::SIGKILL => service.until(|s| s.pid != Some(pid) || s.starts > starts).await,
            _ => {}
        }
        Ok(())
    }

    /// Everything runs as root here.
    async fn hand_over(&self, _path: &str) -> Result<()> {
        Ok(())
    }

    async fn power_off(&self) -> Result<()> {
        let stops = self.all().into_iter().map(|s| async move {
            s.order(Order::Stop).await;
            s.until(|s| s.pid.is_none()).await;
        });
        futures::future::join_all(stops).await;
        Ok(())
    }

    fn off(&self) {
        std::process::exit(0);
    }
}
