//! Users and roles as records of the store: one each, and one for what is true of all.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use prost::Message;

use super::model::{Accounts, Role, User};
use crate::proto::authpb::Permission;
use crate::proto::internal::{AuthMeta, AuthRole, AuthUser};

const META: &str = "auth/meta";
const USER: &str = "auth/user/";
const ROLE: &str = "auth/role/";
/// What all names begin with.
pub(super) const PREFIX: &str = "auth/";

/// What is recorded.
pub(super) fn read(records: &BTreeMap<Bytes, Bytes>) -> io::Result<Accounts> {
    let (mut meta, mut users, mut roles) = (None, BTreeMap::new(), BTreeMap::new());
    for (name, record) in records {
        let name = std::str::from_utf8(name).map_err(|e| damaged(&e.to_string()))?;
        if name == META {
            meta = Some(decode::<AuthMeta>(name, record)?);
        } else if let Some(user) = name.strip_prefix(USER) {
            users.insert(user.to_owned(), decode::<AuthUser>(name, record)?.into());
        } else if let Some(role) = name.strip_prefix(ROLE) {
            roles.insert(role.to_owned(), decode::<AuthRole>(name, record)?.into());
        } else {
            return Err(damaged(&format!("an unknown name, {name:?}")));
        }
    }
    let meta = meta.unwrap_or(AuthMeta { enabled: false, revision: 1 });
    Ok(Accounts::new(meta.enabled, meta.revision, users, roles))
}

/// What must be written so that `new` is recorded where `old` was.
pub(super) fn difference(old: &Accounts, new: &Accounts) -> Vec<(String, Option<Bytes>)> {
    let mut records = Vec::new();
    if (old.enabled, old.revision) != (new.enabled, new.revision) {
        let meta = AuthMeta { enabled: new.enabled, revision: new.revision };
        records.push((META.to_owned(), Some(meta.encode_to_vec().into())));
    }
    changed(USER, &old.users, &new.users, |user| AuthUser::from(user).encode_to_vec(), &mut records);
    changed(ROLE, &old.roles, &new.roles, |role| AuthRole::from(role).encode_to_vec(), &mut records);
    records
}

fn changed<T: PartialEq>(
    prefix: &str,
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
    encode: impl Fn(&T) -> Vec<u8>,
    records: &mut Vec<(String, Option<Bytes>)>,
) {
    let written = new.iter().filter(|(name, now)| old.get(*name) != Some(now));
    records.extend(written.map(|(name, now)| (format!("{prefix}{name}"), Some(encode(now).into()))));
    let removed = old.keys().filter(|name| !new.contains_key(*name));
    records.extend(removed.map(|name| (format!("{prefix}{name}"), None)));
}

fn decode<M: Message + Default>(name: &str, record: &Bytes) -> io::Result<M> {
    M::decode(record.clone()).map_err(|e| damaged(&format!("{name:?}: {e}")))
}

fn damaged(what: &str) -> io::Error {
    let text = format!("the records of users and roles hold {what}; restore this member from its peers");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

impl From<&User> for AuthUser {
    fn from(user: &User) -> Self {
        let roles = user.roles.iter().cloned().collect();
        Self { password: user.password.clone(), roles, no_password: user.no_password }
    }
}

impl From<AuthUser> for User {
    fn from(user: AuthUser) -> Self {
        let roles = user.roles.into_iter().collect();
        Self { password: user.password, roles, no_password: user.no_password }
    }
}

impl From<&Role> for AuthRole {
    fn from(role: &Role) -> Self {
        let permission = |((key, range_end), access): (&(Bytes, Bytes), &i32)| Permission {
            perm_type: *access,
            key: key.clone(),
            range_end: range_end.clone(),
        };
        Self { permissions: role.permissions.iter().map(permission).collect() }
    }
}

impl From<AuthRole> for Role {
    fn from(role: AuthRole) -> Self {
        let entry = |p: Permission| ((p.key, p.range_end), p.perm_type);
        Self { permissions: role.permissions.into_iter().map(entry).collect() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proto::etcdserverpb::{
        AuthDisableRequest, AuthEnableRequest, AuthRoleAddRequest, AuthRoleDeleteRequest,
        AuthRoleGrantPermissionRequest, AuthRoleRevokePermissionRequest, AuthUserAddRequest,
        AuthUserChangePasswordRequest, AuthUserDeleteRequest, AuthUserGrantRoleRequest,
        AuthUserRevokeRoleRequest,
    };
    use crate::proto::internal::auth_command::Change;

    fn change() -> impl Strategy<Value = Change> {
        let name = || prop::sample::select(vec!["root", "a", "b", ""]).prop_map(str::to_owned);
        let key =
            || prop::sample::select(vec!["", "k", "l"]).prop_map(|key| Bytes::from_static(key.as_bytes()));
        let hash = || prop::sample::select(vec!["", "YQ==", "YWI=", "?"]).prop_map(str::to_owned);
        prop_oneof![
            Just(Change::Enable(AuthEnableRequest {})),
            Just(Change::Disable(AuthDisableRequest {})),
            (name(), hash()).prop_map(|(name, hashed_password)| {
                Change::UserAdd(AuthUserAddRequest { name, hashed_password, ..Default::default() })
            }),
            name().prop_map(|name| Change::UserDelete(AuthUserDeleteRequest { name })),
            (name(), hash()).prop_map(|(name, hashed_password)| {
                let request = AuthUserChangePasswordRequest { name, hashed_password, ..Default::default() };
                Change::UserChangePassword(request)
            }),
            (name(), name())
                .prop_map(|(user, role)| Change::UserGrantRole(AuthUserGrantRoleRequest { user, role })),
            (name(), name())
                .prop_map(|(name, role)| Change::UserRevokeRole(AuthUserRevokeRoleRequest { name, role })),
            name().prop_map(|name| Change::RoleAdd(AuthRoleAddRequest { name })),
            name().prop_map(|role| Change::RoleDelete(AuthRoleDeleteRequest { role })),
            (name(), key(), key(), 0..3i32).prop_map(|(name, key, range_end, perm_type)| {
                let perm = Some(Permission { perm_type, key, range_end });
                Change::RoleGrantPermission(AuthRoleGrantPermissionRequest { name, perm })
            }),
            (name(), key(), key()).prop_map(|(role, key, range_end)| {
                Change::RoleRevokePermission(AuthRoleRevokePermissionRequest { role, key, range_end })
            }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_recorded_is_what_there_is(changes in prop::collection::vec(change(), 0..60)) {
            let (mut accounts, mut recorded) = (Accounts::default(), BTreeMap::new());
            for change in changes {
                let before = accounts.clone();
                if accounts.change(&change).is_err() {
                    prop_assert_eq!(&accounts, &before, "a refused change changes nothing");
                }
                prop_assert!(accounts.revision >= before.revision);
                for (name, record) in difference(&before, &accounts) {
                    match record {
                        Some(record) => recorded.insert(Bytes::from(name), record),
                        None => recorded.remove(name.as_bytes()),
                    };
                }
                prop_assert_eq!(&read(&recorded).unwrap(), &accounts);
                let rooted = accounts.user("root").is_some_and(|root| root.roles.contains("root"));
                prop_assert!(!accounts.enabled || rooted, "somebody can always administer");
            }
        }
    }
}
