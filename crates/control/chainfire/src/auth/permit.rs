//! Which request needs which permission: etcd 3.5's rules (`apply_auth.go`, `v3_server.go`), with those its
//! later patch releases added (nested transactions, leases in transactions, leases and lists by strangers).

use bytes::Bytes;

use super::error::AuthRefusal;
use super::model::{Accounts, ROOT};
use crate::machine::Failure;
use crate::proto::etcdserverpb::request_op::Request;
use crate::proto::etcdserverpb::{DeleteRangeRequest, PutRequest, RequestOp, TxnRequest};
use crate::store::StoreError;

/// Who asks, and under which revision of the permissions. The default is nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) revision: u64,
}

/// What a method needs before it is looked at any closer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: not even a valid token.
    Nothing,
    /// A valid token if there is one. The rest depends on the request.
    Whatever,
    /// Any user.
    User,
    /// A user with the role root.
    Root,
}

/// What a method needs. One that is not in the list is root's alone.
pub(crate) fn need(method: &str) -> Need {
    match method {
        "Authenticate" => Need::Nothing,
        // Checked by key, or when it is applied.
        "Range"
        | "RangeStream"
        | "Put"
        | "DeleteRange"
        | "Txn"
        | "LeaseRevoke"
        | "LeaseLeases"
        | "Lock"
        | "Unlock"
        | "Campaign"
        | "Proclaim"
        | "Leader"
        | "Observe"
        | "Resign"
        | "AuthEnable"
        | "AuthDisable"
        | "UserAdd"
        | "UserGet"
        | "UserDelete"
        | "UserChangePassword"
        | "UserGrantRole"
        | "UserRevokeRole"
        | "RoleAdd"
        | "RoleGet"
        | "RoleDelete"
        | "RoleGrantPermission"
        | "RoleRevokePermission" => Need::Whatever,
        "Alarm" | "MemberList" | "Status" | "LeaseGrant" | "LeaseTimeToLive" => Need::User,
        _ => Need::Root,
    }
}

/// Decides for one asker.
pub(crate) struct Guard<'a> {
    accounts: &'a Accounts,
    who: &'a Credentials,
}

impl<'a> Guard<'a> {
    pub(crate) fn new(accounts: &'a Accounts, who: &'a Credentials) -> Self {
        Self { accounts, who }
    }

    /// What a method needs besides its keys.
    pub(crate) fn method(&self, need: Need) -> Result<(), AuthRefusal> {
        match need {
            Need::Nothing | Need::Whatever => Ok(()),
            Need::User => self.user(),
            Need::Root => self.root(),
        }
    }

    /// Somebody, whoever it is.
    pub(crate) fn user(&self) -> Result<(), AuthRefusal> {
        if self.accounts.enabled && self.who.user.is_empty() { Err(AuthRefusal::UserEmpty) } else { Ok(()) }
    }

    /// Somebody with the role root.
    pub(crate) fn root(&self) -> Result<(), AuthRefusal> {
        if !self.accounts.enabled {
            return Ok(());
        }
        self.user()?;
        let user = self.accounts.user(&self.who.user).ok_or(AuthRefusal::UserNotFound)?;
        if user.roles.contains(ROOT) { Ok(()) } else { Err(AuthRefusal::PermissionDenied) }
    }

    /// Root, or the user itself.
    pub(crate) fn see_user(&self, name: &str) -> Result<(), AuthRefusal> {
        self.root().or_else(|refusal| if self.who.user == name { Ok(()) } else { Err(refusal) })
    }

    /// Root, or a user who has the role.
    pub(crate) fn see_role(&self, role: &str) -> Result<(), AuthRefusal> {
        let has = || self.accounts.user(&self.who.user).is_some_and(|user| user.roles.contains(role));
        self.root().or_else(|refusal| if has() { Ok(()) } else { Err(refusal) })
    }

    fn key(&self, may: impl FnOnce(&Accounts, &str) -> bool) -> Result<(), AuthRefusal> {
        let Credentials { user, revision } = self.who;
        if !self.accounts.enabled {
            return Ok(());
        }
        if *revision == 0 {
            return Err(AuthRefusal::UserEmpty);
        }
        if *revision < self.accounts.revision {
            return Err(AuthRefusal::OldRevision);
        }
        let known = self.accounts.user(user).ok_or(AuthRefusal::PermissionDenied)?;
        let allowed = known.roles.contains(ROOT) || may(self.accounts, user);
        if allowed { Ok(()) } else { Err(AuthRefusal::PermissionDenied) }
    }

    pub(crate) fn read(&self, key: &Bytes, end: &Bytes) -> Result<(), AuthRefusal> {
        self.key(|accounts, user| accounts.may_read(user, key, end))
    }

    pub(crate) fn write(&self, key: &Bytes, end: &Bytes) -> Result<(), AuthRefusal> {
        self.key(|accounts, user| accounts.may_write(user, key, end))
    }

    /// A put. Who attaches a key to a lease must be able to end that lease.
    pub(crate) fn put(&self, put: &PutRequest, attached: Attached<'_>) -> Result<(), Failure> {
        self.write(&put.key, &Bytes::new())?;
        if put.lease != 0 {
            self.end_lease(put.lease, attached)?;
        }
        if put.prev_kv {
            self.read(&put.key, &Bytes::new())?;
        }
        Ok(())
    }

    pub(crate) fn delete_range(&self, delete: &DeleteRangeRequest) -> Result<(), AuthRefusal> {
        self.write(&delete.key, &delete.range_end)?;
        if delete.prev_kv { self.read(&delete.key, &delete.range_end) } else { Ok(()) }
    }

    /// Both branches, whichever is taken, and those of the transactions inside.
    pub(crate) fn txn(&self, txn: &TxnRequest, attached: Attached<'_>) -> Result<(), Failure> {
        if !self.accounts.enabled {
            return Ok(());
        }
        for compare in &txn.compare {
            self.read(&compare.key, &compare.range_end)?;
        }
        txn.success.iter().chain(&txn.failure).try_for_each(|operation| self.operation(operation, attached))
    }

    fn operation(&self, operation: &RequestOp, attached: Attached<'_>) -> Result<(), Failure> {
        match &operation.request {
            Some(Request::RequestRange(range)) => Ok(self.read(&range.key, &range.range_end)?),
            Some(Request::RequestPut(put)) => self.put(put, attached),
            Some(Request::RequestDeleteRange(delete)) => Ok(self.delete_range(delete)?),
            Some(Request::RequestTxn(inner)) => self.txn(inner, attached),
            None => Ok(()),
        }
    }

    /// Ending a lease deletes its keys.
    pub(crate) fn end_lease(&self, lease: i64, attached: Attached<'_>) -> Result<(), Failure> {
        if self.root().is_ok() {
            return Ok(());
        }
        Ok(self.write_all(&attached(lease)?)?)
    }

    /// Every one of these keys may be written.
    pub(crate) fn write_all(&self, keys: &[Bytes]) -> Result<(), AuthRefusal> {
        if self.root().is_ok() {
            return Ok(());
        }
        keys.iter().try_for_each(|key| self.write(key, &Bytes::new()))
    }

    /// Every one of these keys may be read.
    pub(crate) fn read_all(&self, keys: &[Bytes]) -> Result<(), AuthRefusal> {
        if self.root().is_ok() {
            return Ok(());
        }
        keys.iter().try_for_each(|key| self.read(key, &Bytes::new()))
    }
}

/// Finds the keys attached to a lease.
pub(crate) type Attached<'a> = &'a dyn Fn(i64) -> Result<Vec<Bytes>, StoreError>;
