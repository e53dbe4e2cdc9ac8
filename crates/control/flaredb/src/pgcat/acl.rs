//! Privileges: as `aclitem` shows them, and whether a role has one.

use crate::base::catalog::{Grant, Privilege, Role};
use crate::base::{Catalog, RelationKind};

use super::place;

/// What privileges are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    Table,
    Sequence,
    Schema,
    Database,
    Function,
    Type,
}

/// Privileges with their letters, in the order in which PostgreSQL shows them.
const LETTERS: &[(Privilege, char, &str)] = &[
    (Privilege::Insert, 'a', "INSERT"),
    (Privilege::Select, 'r', "SELECT"),
    (Privilege::Update, 'w', "UPDATE"),
    (Privilege::Delete, 'd', "DELETE"),
    (Privilege::Truncate, 'D', "TRUNCATE"),
    (Privilege::References, 'x', "REFERENCES"),
    (Privilege::Trigger, 't', "TRIGGER"),
    (Privilege::Execute, 'X', "EXECUTE"),
    (Privilege::Usage, 'U', "USAGE"),
    (Privilege::Create, 'C', "CREATE"),
    (Privilege::Temporary, 'T', "TEMPORARY"),
    (Privilege::Connect, 'c', "CONNECT"),
];

/// Everybody.
const PUBLIC: &str = "public";

impl Object {
    /// What an owner may do.
    pub(crate) fn all(self) -> &'static [Privilege] {
        use Privilege::{
            Connect, Create, Delete, Execute, Insert, References, Select, Temporary, Trigger, Truncate,
            Update, Usage,
        };
        match self {
            Self::Table => &[Insert, Select, Update, Delete, Truncate, References, Trigger],
            Self::Sequence => &[Select, Update, Usage],
            Self::Schema => &[Usage, Create],
            Self::Database => &[Create, Temporary, Connect],
            Self::Function => &[Execute],
            Self::Type => &[Usage],
        }
    }

    /// What everybody may do from the start.
    pub(crate) fn of_everybody(self) -> &'static [Privilege] {
        match self {
            Self::Table | Self::Sequence | Self::Schema => &[],
            Self::Database => &[Privilege::Temporary, Privilege::Connect],
            Self::Function => &[Privilege::Execute],
            Self::Type => &[Privilege::Usage],
        }
    }

    /// What a relation is.
    pub(crate) fn of(kind: &RelationKind) -> Self {
        if matches!(kind, RelationKind::Sequence(_)) { Self::Sequence } else { Self::Table }
    }
}

/// The standard's word.
pub(crate) fn word(privilege: Privilege) -> &'static str {
    LETTERS.iter().find_map(|(of, _, word)| (*of == privilege).then_some(*word)).unwrap_or("")
}

/// The privilege of a word in any case; `TEMP` too.
pub(crate) fn named(word: &str) -> Option<Privilege> {
    let word = if word.eq_ignore_ascii_case("temp") { "TEMPORARY" } else { word };
    LETTERS.iter().find_map(|(of, _, name)| name.eq_ignore_ascii_case(word).then_some(*of))
}

/// A name within an `aclitem`.
fn item_name(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// `bob=ar*/alice`: the privileges with a star behind those that may be handed on.
fn item(grantee: &str, privileges: &[(Privilege, bool)], grantor: &str) -> String {
    let mut item = if grantee == PUBLIC { String::new() } else { item_name(grantee) };
    item.push('=');
    for (of, letter, _) in LETTERS {
        let granted = privileges.iter().filter(|(privilege, _)| privilege == of);
        let mut granted = granted.map(|(_, grantable)| *grantable).peekable();
        if granted.peek().is_some() {
            item.push(*letter);
            if granted.any(|grantable| grantable) {
                item.push('*');
            }
        }
    }
    item.push('/');
    item.push_str(&item_name(grantor));
    item
}

/// What an object's list is while nothing was granted: the owner may do everything.
pub(crate) fn default_items(object: Object, owner: &str) -> Vec<String> {
    let plain = |all: &[Privilege]| all.iter().map(|one| (*one, false)).collect::<Vec<_>>();
    let mut items = Vec::new();
    if !object.of_everybody().is_empty() {
        items.push(item(PUBLIC, &plain(object.of_everybody()), owner));
    }
    items.push(item(owner, &plain(object.all()), owner));
    items
}

/// `relacl` and its like: an `aclitem[]` as it is kept. None: nothing was granted.
pub(crate) fn items(object: Object, owner: &str, grants: &[Grant]) -> Option<String> {
    if grants.is_empty() {
        return None;
    }
    let mut items: Vec<String> = Vec::new();
    if !grants.iter().any(|grant| grant.grantee == owner) {
        let all: Vec<_> = object.all().iter().map(|one| (*one, false)).collect();
        items.push(item(owner, &all, owner));
    }
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for grant in grants {
        let pair = (grant.grantee.as_str(), grant.grantor.as_str());
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    for (grantee, grantor) in pairs {
        let of = grants.iter().filter(|grant| grant.grantee == grantee && grant.grantor == grantor);
        let privileges: Vec<_> = of.map(|grant| (grant.privilege, grant.grantable)).collect();
        items.push(item(grantee, &privileges, grantor));
    }
    Some(serde_json::to_string(&items).unwrap_or_default())
}

/// Whether a role is another, or belongs to it by way of any number of others. `inherited`: only by way of roles
/// whose rights come by themselves.
pub(crate) fn is_member(catalog: &Catalog, role: &str, of: &str, inherited: bool) -> bool {
    let mut seen: Vec<&str> = Vec::new();
    let mut next: Vec<&str> = vec![role];
    while let Some(name) = next.pop() {
        if name == of {
            return true;
        }
        let Some(role) = catalog.roles.get(name) else { continue };
        if seen.contains(&name) || inherited && !role.inherit {
            continue;
        }
        seen.push(name);
        next.extend(role.member_of.iter().map(String::as_str));
    }
    false
}

/// Whether a role may do something with what somebody owns. `handing`: hand it on.
pub(crate) fn may(
    catalog: &Catalog,
    role: &Role,
    (owner, grants): (&str, &[Grant]),
    privilege: Privilege,
    handing: bool,
) -> bool {
    if role.superuser || is_member(catalog, &role.name, owner, true) {
        return true;
    }
    grants.iter().any(|grant| {
        grant.privilege == privilege
            && (grant.grantable || !handing)
            && (grant.grantee == PUBLIC || is_member(catalog, &role.name, &grant.grantee, true))
    })
}

/// The OID of a grantee; 0: everybody.
pub(crate) fn grantee(catalog: &Catalog, name: &str) -> u32 {
    if name == PUBLIC { 0 } else { place::role(catalog, name) }
}
