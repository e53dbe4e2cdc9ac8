//! Users and roles, and every change of them: pure, the same on every replica.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::error::AuthRefusal;
use super::span::{Spans, is_grantable};
use crate::proto::authpb::permission::Type as Access;
use crate::proto::etcdserverpb::{
    AuthRoleGrantPermissionRequest, AuthUserAddRequest, AuthUserChangePasswordRequest,
};
use crate::proto::internal::auth_command::Change;

/// The user and the role that may do everything.
pub(crate) const ROOT: &str = "root";

/// Somebody who may log in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct User {
    /// A bcrypt hash.
    pub(crate) password: Bytes,
    pub(crate) roles: BTreeSet<String>,
    pub(crate) no_password: bool,
}

/// Ranges (a key and its end) and what may be done with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) permissions: BTreeMap<(Bytes, Bytes), i32>,
}

/// What a user may read and write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Granted {
    read: Spans,
    write: Spans,
}

/// All users and roles at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accounts {
    pub(crate) enabled: bool,
    /// Grows with every change; commands under an older one are refused.
    pub(crate) revision: u64,
    pub(super) users: BTreeMap<String, User>,
    pub(super) roles: BTreeMap<String, Role>,
    granted: BTreeMap<String, Granted>,
}

impl Default for Accounts {
    fn default() -> Self {
        Self::new(false, 1, BTreeMap::new(), BTreeMap::new())
    }
}

/// Whose simple tokens a change ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Logout {
    Nobody,
    User(String),
    Everybody,
}

impl Accounts {
    pub(super) fn new(
        enabled: bool,
        revision: u64,
        users: BTreeMap<String, User>,
        roles: BTreeMap<String, Role>,
    ) -> Self {
        let mut accounts = Self { enabled, revision, users, roles, granted: BTreeMap::new() };
        accounts.merge();
        accounts
    }

    /// Works out anew what each user may do.
    fn merge(&mut self) {
        let granted = |user: &User| {
            let permissions = user.roles.iter().filter_map(|role| self.roles.get(role));
            let permissions: Vec<_> = permissions.flat_map(|role| &role.permissions).collect();
            let with = |other: Access| {
                let allowed = [other as i32, Access::Readwrite as i32];
                let fitting = permissions.iter().filter(move |(_, access)| allowed.contains(access));
                Spans::of(fitting.map(|((key, end), _)| (key, end)))
            };
            Granted { read: with(Access::Read), write: with(Access::Write) }
        };
        self.granted = self.users.iter().map(|(name, user)| (name.clone(), granted(user))).collect();
    }

    /// A user.
    pub(crate) fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// A role.
    pub(crate) fn role(&self, name: &str) -> Option<&Role> {
        self.roles.get(name)
    }

    /// All users' names, in order.
    pub(crate) fn user_names(&self) -> Vec<String> {
        self.users.keys().cloned().collect()
    }

    /// All roles' names, in order.
    pub(crate) fn role_names(&self) -> Vec<String> {
        self.roles.keys().cloned().collect()
    }

    pub(super) fn may_read(&self, user: &str, key: &Bytes, end: &Bytes) -> bool {
        self.granted.get(user).is_some_and(|granted| granted.read.cover(key, end))
    }

    pub(super) fn may_write(&self, user: &str, key: &Bytes, end: &Bytes) -> bool {
        self.granted.get(user).is_some_and(|granted| granted.write.cover(key, end))
    }

    /// Makes a change. A refused one changes nothing. Whether the asker may was checked before.
    pub(crate) fn change(&mut self, change: &Change) -> Result<Logout, AuthRefusal> {
        let mut logout = Logout::Nobody;
        let changed = match change {
            Change::Enable(_) => self.enable()?,
            Change::Disable(_) => {
                logout = Logout::Everybody;
                std::mem::take(&mut self.enabled)
            }
            Change::Login(login) => return self.log_in(&login.name).map(|()| logout),
            Change::UserAdd(request) => self.add_user(request)?,
            Change::UserDelete(request) => {
                logout = Logout::User(request.name.clone());
                self.delete_user(&request.name)?
            }
            Change::UserChangePassword(request) => {
                logout = Logout::User(request.name.clone());
                self.change_password(request)?
            }
            Change::UserGrantRole(request) => self.grant_role(&request.user, &request.role)?,
            Change::UserRevokeRole(request) => self.revoke_role(&request.name, &request.role)?,
            Change::RoleAdd(request) => self.add_role(&request.name)?,
            Change::RoleDelete(request) => self.delete_role(&request.role)?,
            Change::RoleGrantPermission(request) => self.grant(request)?,
            Change::RoleRevokePermission(request) => {
                self.revoke(&request.role, &request.key, &request.range_end)?
            }
        };
        if changed {
            self.revision += 1;
            self.merge();
        }
        Ok(logout)
    }

    /// As in etcd, it does not count as a change of the permissions.
    fn enable(&mut self) -> Result<bool, AuthRefusal> {
        if !self.enabled {
            let root = self.users.get(ROOT).ok_or(AuthRefusal::RootUserNotExist)?;
            if !root.roles.contains(ROOT) {
                return Err(AuthRefusal::RootRoleNotExist);
            }
            self.enabled = true;
        }
        Ok(false)
    }

    fn log_in(&self, name: &str) -> Result<(), AuthRefusal> {
        if !self.enabled {
            return Err(AuthRefusal::NotEnabled);
        }
        match self.users.get(name) {
            Some(user) if !user.no_password => Ok(()),
            _ => Err(AuthRefusal::AuthFailed),
        }
    }

    fn add_user(&mut self, request: &AuthUserAddRequest) -> Result<bool, AuthRefusal> {
        if request.name.is_empty() {
            return Err(AuthRefusal::UserEmpty);
        }
        if self.users.contains_key(&request.name) {
            return Err(AuthRefusal::UserExists);
        }
        let no_password = request.options.is_some_and(|options| options.no_password);
        let password = if no_password { Bytes::new() } else { hash(&request.hashed_password)? };
        let user = User { password, roles: BTreeSet::new(), no_password };
        self.users.insert(request.name.clone(), user);
        Ok(true)
    }

    fn delete_user(&mut self, name: &str) -> Result<bool, AuthRefusal> {
        if self.enabled && name == ROOT {
            return Err(AuthRefusal::InvalidManagement);
        }
        self.users.remove(name).ok_or(AuthRefusal::UserNotFound)?;
        Ok(true)
    }

    fn change_password(&mut self, request: &AuthUserChangePasswordRequest) -> Result<bool, AuthRefusal> {
        let user = self.users.get_mut(&request.name).ok_or(AuthRefusal::UserNotFound)?;
        user.password = if user.no_password { Bytes::new() } else { hash(&request.hashed_password)? };
        Ok(true)
    }

    fn grant_role(&mut self, user: &str, role: &str) -> Result<bool, AuthRefusal> {
        let known = role == ROOT || self.roles.contains_key(role);
        let user = self.users.get_mut(user).ok_or(AuthRefusal::UserNotFound)?;
        if !known {
            return Err(AuthRefusal::RoleNotFound);
        }
        Ok(user.roles.insert(role.to_owned()))
    }

    fn revoke_role(&mut self, user: &str, role: &str) -> Result<bool, AuthRefusal> {
        if self.enabled && user == ROOT && role == ROOT {
            return Err(AuthRefusal::InvalidManagement);
        }
        let user = self.users.get_mut(user).ok_or(AuthRefusal::UserNotFound)?;
        if user.roles.remove(role) { Ok(true) } else { Err(AuthRefusal::RoleNotGranted) }
    }

    fn add_role(&mut self, name: &str) -> Result<bool, AuthRefusal> {
        if name.is_empty() {
            return Err(AuthRefusal::RoleEmpty);
        }
        if self.roles.contains_key(name) {
            return Err(AuthRefusal::RoleExists);
        }
        self.roles.insert(name.to_owned(), Role::default());
        Ok(true)
    }

    fn delete_role(&mut self, name: &str) -> Result<bool, AuthRefusal> {
        if self.enabled && name == ROOT {
            return Err(AuthRefusal::InvalidManagement);
        }
        self.roles.remove(name).ok_or(AuthRefusal::RoleNotFound)?;
        for user in self.users.values_mut() {
            user.roles.remove(name);
        }
        Ok(true)
    }

    fn grant(&mut self, request: &AuthRoleGrantPermissionRequest) -> Result<bool, AuthRefusal> {
        let permission = request.perm.as_ref().ok_or(AuthRefusal::PermissionNotGiven)?;
        if !is_grantable(&permission.key, &permission.range_end) {
            return Err(AuthRefusal::InvalidManagement);
        }
        let role = self.roles.get_mut(&request.name).ok_or(AuthRefusal::RoleNotFound)?;
        let range = (permission.key.clone(), permission.range_end.clone());
        role.permissions.insert(range, permission.perm_type);
        Ok(true)
    }

    fn revoke(&mut self, role: &str, key: &Bytes, end: &Bytes) -> Result<bool, AuthRefusal> {
        let role = self.roles.get_mut(role).ok_or(AuthRefusal::RoleNotFound)?;
        let revoked = role.permissions.remove(&(key.clone(), end.clone()));
        revoked.map(|_| true).ok_or(AuthRefusal::PermissionNotGranted)
    }
}

/// What a command carries of a password.
fn hash(hashed: &str) -> Result<Bytes, AuthRefusal> {
    STANDARD.decode(hashed).map(Bytes::from).map_err(|_| AuthRefusal::NoPasswordUser)
}
