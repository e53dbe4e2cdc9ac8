//! Who is let in, and sessions for them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use kit::tls::{Acceptor, AllowList};

use super::Session;
use super::settings::{Parameters, VERSION};
use crate::base::catalog::Role;
use crate::base::{Settings, SqlError, SqlState};
use crate::node::Databases;
use crate::replica::Replica;
use crate::wire::{
    BoxStream, CancelRequest, ChannelBinding, Control, Host, Login, Method, Opened, Prepared, Security,
    Verifier,
};

/// All clients of a node.
pub(crate) struct Clients {
    databases: Databases,
    /// None: clear text, and everybody is believed. Only a test goes without.
    tls: Option<(Acceptor, Arc<kit::tls::Identity>)>,
    /// Whose certificates stand for a role.
    allow: AllowList,
    running: Mutex<Running>,
    most: usize,
}

#[derive(Default)]
struct Running {
    next: i32,
    by_pid: BTreeMap<i32, (Vec<u8>, Control)>,
}

impl Clients {
    pub(crate) fn new(
        databases: Databases,
        tls: Option<Arc<kit::tls::Identity>>,
        allow: AllowList,
        most: usize,
    ) -> Self {
        let tls =
            tls.map(|identity| (identity.server(allow.clone()).open_to_all(&[b"postgresql"]), identity));
        Self { databases, tls, allow, running: Mutex::default(), most }
    }

    /// Whether clients are offered TLS, and held to it.
    pub(crate) fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// A connection is over.
    pub(crate) fn forget(&self, control: &Control) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.by_pid.retain(|_, (_, known)| !known.is(control));
    }

    fn replica(&self, database: &str) -> Result<Replica, SqlError> {
        self.databases.get(database).ok_or_else(|| {
            let known = self.databases.known().iter().any(|record| record.name == database);
            let message = format!("database \"{database}\" does not exist");
            let error = SqlError::new(SqlState::INVALID_CATALOG_NAME, message);
            if known {
                let message = format!("database \"{database}\" is held by other nodes");
                SqlError::new(SqlState::CANNOT_CONNECT_NOW, message)
                    .with_hint("Name all nodes to the driver: host=node01,node02,node03.")
            } else {
                error
            }
        })
    }

    fn role(&self, login: &Login) -> Result<(Replica, Option<Arc<Role>>), SqlError> {
        let replica = self.replica(&login.database)?;
        let role = replica.catalog().roles.get(&login.user).cloned();
        Ok((replica, role))
    }
}

impl Host for Clients {
    type Session = Session;

    async fn upgrade(&self, stream: BoxStream) -> io::Result<(BoxStream, Security)> {
        let Some((acceptor, identity)) = &self.tls else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "no TLS here"));
        };
        let (stream, shown) = acceptor.accept(Box::new(stream)).await.map_err(io::Error::other)?;
        let binding = identity.certificate().and_then(|der| ChannelBinding::of_certificate(&der).ok());
        let identity = shown.spiffe.filter(|id| self.allow.admits(id)).map(|id| id.path().to_owned());
        Ok((Box::new(stream), Security { identity, binding, ..Security::default() }))
    }

    async fn authenticate(&self, login: &Login) -> Result<Method, SqlError> {
        let (_, role) = self.role(login)?;
        if self.tls.is_none() {
            return Ok(Method::Trust);
        }
        let identity = login.security.as_ref().and_then(|security| security.identity.as_deref());
        if identity.is_some_and(|path| stands_for(path, &login.user)) {
            return Ok(Method::Trust);
        }
        let verifier = role.and_then(|role| role.verifier.as_deref().and_then(Verifier::parse));
        Ok(Method::Scram(verifier))
    }

    async fn connect(&self, login: Login, control: &Control) -> Result<Opened<Session>, SqlError> {
        let (replica, role) = self.role(&login)?;
        let Some(role) = role else {
            let message = format!("role \"{}\" does not exist", login.user);
            return Err(SqlError::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message));
        };
        if !role.login {
            let message = format!("role \"{}\" is not permitted to log in", login.user);
            return Err(SqlError::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message));
        }
        let mut secret = vec![0; login.secret_length()];
        replica.context().entropy().fill(&mut secret);
        let pid = self.admit(&secret, control)?;
        let superuser = if role.superuser { "on" } else { "off" };
        let fixed = [("is_superuser", superuser.to_owned()), ("session_authorization", login.user.clone())];
        let mut session = Session {
            replica,
            databases: self.databases.clone(),
            parameters: Parameters::new(&fixed),
            settings: Settings {
                user: login.user.clone(),
                session_user: login.user.clone(),
                database: login.database.clone(),
                ..Settings::default()
            },
            generation: 0,
            prepared: Prepared::default(),
            control: control.clone(),
            block: None,
            sequences: BTreeMap::new(),
            last_sequence: None,
            told: Vec::new(),
            notices: Vec::new(),
            pid,
        };
        for (name, value) in &login.settings {
            session.set(name, value, false)?;
        }
        session.parameters.settle();
        session.settings_changed();
        session.told.clear();
        let mut parameters: Vec<(Cow<'static, str>, String)> =
            session.parameters.told().into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect();
        if !parameters.iter().any(|(name, _)| name == "server_version") {
            parameters.push((Cow::Borrowed("server_version"), VERSION.to_owned()));
        }
        Ok(Opened { session, pid, secret, parameters })
    }

    async fn cancel(&self, request: CancelRequest) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((secret, control)) = running.by_pid.get(&request.pid)
            && same(secret, &request.secret)
        {
            control.cancel();
        }
    }
}

impl Clients {
    fn admit(&self, secret: &[u8], control: &Control) -> Result<i32, SqlError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.by_pid.len() >= self.most {
            let message = "sorry, too many clients already";
            return Err(SqlError::new(SqlState::TOO_MANY_CONNECTIONS, message));
        }
        loop {
            running.next = running.next.checked_add(1).unwrap_or(1);
            let pid = running.next;
            if let std::collections::btree_map::Entry::Vacant(free) = running.by_pid.entry(pid) {
                free.insert((secret.to_vec(), control.clone()));
                return Ok(pid);
            }
        }
    }
}

/// Whether they are equal, in a time that tells nothing of where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differs = a.iter().zip(b).fold(0, |differs, (a, b)| std::hint::black_box(differs | (a ^ b)));
    a.len() == b.len() && differs == 0
}

/// Whose certificate stands for a role: an operator's for any, a service's for the role that its path ends with.
fn stands_for(path: &str, user: &str) -> bool {
    let mut parts = path.trim_start_matches('/').split('/');
    match (parts.next(), parts.next_back()) {
        (Some("operator"), Some(_)) => true,
        (Some(_), Some(role)) => role == user,
        _ => false,
    }
}
