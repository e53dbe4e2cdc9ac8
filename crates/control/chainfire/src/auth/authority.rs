//! The users and roles of one replica, shared by the applying thread and the API, and who is logged in.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::error::AuthRefusal;
use super::model::{Accounts, Logout, ROOT};
use super::permit::{Credentials, Guard};
use super::records;
use super::token::Tokens;
use crate::machine::Failure;
use crate::proto::internal::auth_command::Change;
use crate::proto::internal::command::Operation;
use crate::proto::internal::{AuthCommand, AuthDone};
use crate::store::{Batch, StoreError, View};

/// Who there is, who may do what, and whose simple tokens are good here.
pub struct Authority {
    accounts: ArcSwap<Accounts>,
    tokens: Mutex<Tokens>,
    /// Logins proposed before are not honoured: this replica applies them again, or late.
    begun: Duration,
}

impl Authority {
    /// What a store has recorded. `now` is the wall clock's time since 1970, `ttl` how long an unused
    /// token lives.
    pub fn open(view: &View, now: Duration, ttl: Duration) -> Result<Arc<Self>, StoreError> {
        let accounts = ArcSwap::from_pointee(recorded(view)?);
        Ok(Arc::new(Self { accounts, tokens: Mutex::new(Tokens::new(ttl)), begun: now }))
    }

    /// For a test of something else.
    #[cfg(test)]
    pub(crate) fn fresh(store: &crate::store::Store) -> Arc<Self> {
        Self::open(&store.view(), Duration::ZERO, Duration::from_secs(300)).unwrap()
    }

    /// The users and roles as they are now.
    pub(crate) fn accounts(&self) -> Arc<Accounts> {
        self.accounts.load_full()
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose simple token it is; using it prolongs it.
    pub(crate) fn user_of(&self, token: &str) -> Option<String> {
        self.tokens().user_of(token, Instant::now())
    }

    /// The store was replaced by an image: whoever was logged out meanwhile must not stay in.
    pub(crate) fn replaced(&self, view: &View) -> Result<(), StoreError> {
        self.accounts.store(Arc::new(recorded(view)?));
        self.tokens().forget(&Logout::Everybody);
        Ok(())
    }

    /// For what a member does by itself where a client would have to be an administrator.
    pub(crate) fn as_root(&self) -> Credentials {
        let accounts = self.accounts.load();
        match accounts.enabled {
            true => Credentials { user: ROOT.into(), revision: accounts.revision },
            false => Credentials::default(),
        }
    }

    /// Whether a command may be carried out, here and now in the log.
    pub(crate) fn permit(
        &self,
        batch: &Batch<'_>,
        who: &Credentials,
        operation: &Operation,
    ) -> Result<(), Failure> {
        let accounts = self.accounts.load();
        if !accounts.enabled {
            return Ok(());
        }
        let guard = Guard::new(&accounts, who);
        let attached = |lease| batch.view().attached(lease);
        match operation {
            Operation::Put(put) => guard.put(put, &attached),
            Operation::DeleteRange(delete) => Ok(guard.delete_range(delete)?),
            Operation::Txn(txn) => guard.txn(txn, &attached),
            Operation::Compact(_) => Ok(guard.root()?),
            Operation::LeaseGrant(_) => Ok(guard.user()?),
            Operation::LeaseRevoke(revoke) if revoke.epoch == 0 => {
                guard.user()?;
                guard.end_lease(revoke.id, &attached)
            }
            Operation::Auth(AuthCommand { change: Some(Change::Login(_)) }) => Ok(()),
            Operation::Auth(_) => Ok(guard.root()?),
            // The replicas' own.
            Operation::LeaseRevoke(_) | Operation::LessorClaim(_) | Operation::Alarm(_) => Ok(()),
        }
    }

    /// Changes users and roles, or lets somebody in.
    pub(crate) fn apply(
        &self,
        batch: &mut Batch<'_>,
        index: u64,
        change: &Change,
    ) -> Result<AuthDone, AuthRefusal> {
        let old = self.accounts.load_full();
        let mut new = Accounts::clone(&old);
        let logout = new.change(change)?;
        for (name, record) in records::difference(&old, &new) {
            batch.set_record(name, record);
        }
        let revision = new.revision;
        if *old != new {
            self.accounts.store(Arc::new(new));
        }
        self.tokens().forget(&logout);
        if let Change::Login(login) = change
            && u128::from(login.at) >= self.begun.as_millis()
        {
            self.tokens().assign(&login.token, index, &login.name, Instant::now());
        }
        Ok(AuthDone { revision, index })
    }
}

fn recorded(view: &View) -> Result<Accounts, StoreError> {
    Ok(records::read(&view.records(records::PREFIX)?)?)
}
