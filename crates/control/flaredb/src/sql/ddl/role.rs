//! Roles, and what they may do.

use crate::base::catalog::{CatalogChange, Privilege, Role};
use crate::base::{RelationKind, SqlError, SqlState};

use super::{Making, granted};
use crate::sql::names::Name;
use crate::sql::planner::Planner;
use crate::sql::tree::{Grant, GrantRole, GrantedOn, RoleChange, RoleOption};

impl Planner<'_> {
    pub(crate) fn create_role(
        &mut self,
        making: &mut Making,
        change: &RoleChange,
    ) -> Result<&'static str, SqlError> {
        self.must_manage_roles()?;
        if self.catalog.roles.contains_key(&change.name) {
            let message = format!("role \"{}\" already exists", change.name);
            return Err(SqlError::new(SqlState::DUPLICATE_OBJECT, message));
        }
        if change.name.starts_with("pg_") || matches!(change.name.as_str(), "public" | "none") {
            let message = format!("role name \"{}\" is reserved", change.name);
            return Err(SqlError::new(SqlState::RESERVED_NAME, message));
        }
        let role = Role {
            oid: making.oid(),
            name: change.name.clone(),
            superuser: false,
            login: false,
            inherit: true,
            create_role: false,
            create_db: false,
            verifier: None,
            connection_limit: -1,
            valid_until: None,
            member_of: Vec::new(),
        };
        self.put_role(making, role, &change.options)?;
        Ok("CREATE ROLE")
    }

    pub(crate) fn alter_role(
        &mut self,
        making: &mut Making,
        change: &RoleChange,
    ) -> Result<&'static str, SqlError> {
        let own_password = change.name == self.settings.user
            && change.options.iter().all(|option| matches!(option, RoleOption::Password(_)));
        if !own_password {
            self.must_manage_roles()?;
        }
        let role = self.role(&change.name)?;
        self.put_role(making, role, &change.options)?;
        Ok("ALTER ROLE")
    }

    fn put_role(
        &mut self,
        making: &mut Making,
        mut role: Role,
        options: &[RoleOption],
    ) -> Result<(), SqlError> {
        let superuser = self.is_superuser();
        for option in options {
            match option {
                RoleOption::Superuser(on) => {
                    if *on && !superuser {
                        let message = "must be superuser to create superusers";
                        return Err(SqlError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
                    }
                    role.superuser = *on;
                }
                RoleOption::CreateDb(on) => role.create_db = *on,
                RoleOption::CreateRole(on) => role.create_role = *on,
                RoleOption::Inherit(on) => role.inherit = *on,
                RoleOption::Login(on) => role.login = *on,
                RoleOption::Nothing => {}
                RoleOption::Password(password) => {
                    role.verifier = None;
                    if let Some(password) = password {
                        making.passwords.push((role.name.clone(), password.clone()));
                    }
                }
                RoleOption::ConnectionLimit(limit) => role.connection_limit = *limit,
                RoleOption::ValidUntil(text) => {
                    if text != "infinity" {
                        return Err(SqlError::unsupported("VALID UNTIL a time"));
                    }
                    role.valid_until = None;
                }
                RoleOption::InRole(roles) => {
                    for name in roles {
                        self.role(name)?;
                        role.member_of.push(name.clone());
                    }
                }
                RoleOption::Members(members) => {
                    for name in members {
                        let mut member = self.role(name)?;
                        member.member_of.push(role.name.clone());
                        making.change(CatalogChange::PutRole(member));
                    }
                }
            }
        }
        role.member_of.sort();
        role.member_of.dedup();
        making.change(CatalogChange::PutRole(role));
        Ok(())
    }

    pub(crate) fn drop_role(
        &mut self,
        making: &mut Making,
        names: &[String],
        if_exists: bool,
    ) -> Result<&'static str, SqlError> {
        self.must_manage_roles()?;
        for name in names {
            if !self.catalog.roles.contains_key(name) {
                let message = format!("role \"{name}\" does not exist");
                if if_exists {
                    making.notice(SqlState::UNDEFINED_OBJECT, format!("{message}, skipping"));
                    continue;
                }
                return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message));
            }
            let owns = self.catalog.relations.values().any(|relation| relation.owner == *name)
                || self.catalog.schemas.values().any(|schema| schema.owner == *name);
            let granted = self.catalog.relations.values().any(|relation| {
                relation.grants.iter().any(|grant| grant.grantee == *name || grant.grantor == *name)
            });
            if owns || granted || *name == self.settings.session_user {
                let message = format!("role \"{name}\" cannot be dropped because some objects depend on it");
                return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message));
            }
            for other in self.catalog.roles.values().filter(|other| other.member_of.contains(name)) {
                let mut member = other.as_ref().clone();
                member.member_of.retain(|of| of != name);
                making.change(CatalogChange::PutRole(member));
            }
            making.change(CatalogChange::DropRole(name.clone()));
        }
        Ok("DROP ROLE")
    }

    pub(crate) fn grant_role(
        &mut self,
        making: &mut Making,
        grant: &GrantRole,
    ) -> Result<&'static str, SqlError> {
        self.must_manage_roles()?;
        for to in &grant.to {
            let mut member = self.role(to)?;
            for name in &grant.roles {
                self.role(name)?;
                if grant.grant {
                    if name == to || self.is_member(name, to) {
                        let message = format!("role \"{name}\" is a member of role \"{to}\"");
                        return Err(SqlError::new(SqlState::INVALID_GRANT_OPERATION, message));
                    }
                    member.member_of.push(name.clone());
                } else {
                    member.member_of.retain(|of| of != name);
                }
            }
            member.member_of.sort();
            member.member_of.dedup();
            making.change(CatalogChange::PutRole(member));
        }
        Ok(if grant.grant { "GRANT ROLE" } else { "REVOKE ROLE" })
    }

    pub(crate) fn grant(&mut self, making: &mut Making, grant: &Grant) -> Result<&'static str, SqlError> {
        for grantee in &grant.grantees {
            if grantee != "public" {
                self.role(grantee)?;
            }
        }
        match &grant.on {
            GrantedOn::Tables(names) => {
                for name in names {
                    self.grant_relation(making, name, grant)?;
                }
            }
            GrantedOn::Sequences(names) => {
                for name in names {
                    self.grant_relation(making, name, grant)?;
                }
            }
            GrantedOn::AllTables(schemas) | GrantedOn::AllSequences(schemas) => {
                let sequences = matches!(grant.on, GrantedOn::AllSequences(_));
                for schema in schemas {
                    if !self.catalog.schemas.contains_key(schema) {
                        return Err(crate::sql::planner::no_schema(schema));
                    }
                    for relation in self.catalog.relations.values().filter(|known| known.schema == *schema) {
                        let wanted = match relation.kind {
                            RelationKind::Sequence(_) => sequences,
                            RelationKind::Table | RelationKind::View { .. } => !sequences,
                            RelationKind::Index { .. } => false,
                        };
                        if wanted {
                            let name =
                                Name { schema: Some(schema.clone()), name: relation.name.clone(), at: 0 };
                            self.grant_relation(making, &name, grant)?;
                        }
                    }
                }
            }
            GrantedOn::Schemas(names) => {
                for name in names {
                    let Some(schema) = self.catalog.schemas.get(name) else {
                        return Err(crate::sql::planner::no_schema(name));
                    };
                    let mut schema = schema.as_ref().clone();
                    self.must_own(&schema.owner, "schema", name)?;
                    let all = [Privilege::Usage, Privilege::Create];
                    change_grants(&mut schema.grants, &self.settings.user, grant, &all)?;
                    making.change(CatalogChange::PutSchema(schema));
                }
            }
            GrantedOn::Databases(_) => {
                let what = "privileges on a database: whoever has a role in it may connect";
                return Err(SqlError::unsupported(what));
            }
        }
        Ok(if grant.grant { "GRANT" } else { "REVOKE" })
    }

    fn grant_relation(&mut self, making: &mut Making, name: &Name, grant: &Grant) -> Result<(), SqlError> {
        let oid = self.relation(name)?.oid;
        let Some(mut relation) = making.after.relations.get(&oid).map(|known| known.as_ref().clone()) else {
            return Ok(());
        };
        self.must_own(&relation.owner, "table", &relation.name)?;
        let all: &[Privilege] = match relation.kind {
            RelationKind::Sequence(_) => &[Privilege::Usage, Privilege::Select, Privilege::Update],
            _ => &[
                Privilege::Select,
                Privilege::Insert,
                Privilege::Update,
                Privilege::Delete,
                Privilege::Truncate,
                Privilege::References,
                Privilege::Trigger,
            ],
        };
        change_grants(&mut relation.grants, &self.settings.user, grant, all)?;
        making.put(relation);
        Ok(())
    }

    fn role(&self, name: &str) -> Result<Role, SqlError> {
        match self.catalog.roles.get(name) {
            Some(role) => Ok(role.as_ref().clone()),
            None => Err(SqlError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))),
        }
    }

    /// Whether whoever asks may do anything.
    pub(crate) fn is_superuser(&self) -> bool {
        self.catalog.roles.get(&self.settings.user).is_some_and(|role| role.superuser)
    }

    fn must_manage_roles(&self) -> Result<(), SqlError> {
        let may = self.catalog.roles.get(&self.settings.user);
        if may.is_some_and(|role| role.superuser || role.create_role) {
            return Ok(());
        }
        Err(SqlError::new(SqlState::INSUFFICIENT_PRIVILEGE, "permission denied to change roles")
            .with_hint("Only roles with CREATEROLE may."))
    }

    fn must_own(&self, owner: &str, what: &str, name: &str) -> Result<(), SqlError> {
        if self.is_superuser() || self.is_member(&self.settings.user, owner) {
            return Ok(());
        }
        let message = format!("must be owner of {what} {name}");
        Err(SqlError::new(SqlState::INSUFFICIENT_PRIVILEGE, message))
    }

    /// Whether a role is another, or belongs to it.
    fn is_member(&self, role: &str, of: &str) -> bool {
        crate::base::catalog::is_member(self.catalog, role, of)
    }
}

fn change_grants(
    grants: &mut Vec<crate::base::catalog::Grant>,
    grantor: &str,
    grant: &Grant,
    all: &[Privilege],
) -> Result<(), SqlError> {
    let privileges = match &grant.privileges {
        None => all.to_vec(),
        Some(names) => names.iter().map(|name| privilege(name, all)).collect::<Result<_, _>>()?,
    };
    for grantee in &grant.grantees {
        for privilege in &privileges {
            let same = |known: &crate::base::catalog::Grant| {
                known.grantee == *grantee && known.privilege == *privilege
            };
            if !grant.grant && grant.option {
                grants.iter_mut().filter(|known| same(known)).for_each(|known| known.grantable = false);
                continue;
            }
            let had = grants.iter().any(|known| same(known) && known.grantable);
            grants.retain(|known| !same(known));
            if grant.grant {
                grants.push(granted(grantee, grantor, *privilege, grant.option || had));
            }
        }
    }
    Ok(())
}

fn privilege(name: &str, all: &[Privilege]) -> Result<Privilege, SqlError> {
    let privilege = match name.to_ascii_lowercase().as_str() {
        "select" => Privilege::Select,
        "insert" => Privilege::Insert,
        "update" => Privilege::Update,
        "delete" => Privilege::Delete,
        "truncate" => Privilege::Truncate,
        "references" => Privilege::References,
        "trigger" => Privilege::Trigger,
        "usage" => Privilege::Usage,
        "create" => Privilege::Create,
        _ => {
            let message = format!("unrecognized privilege type \"{name}\"");
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
        }
    };
    if all.contains(&privilege) {
        return Ok(privilege);
    }
    let message = format!("invalid privilege type {} for this object", name.to_uppercase());
    Err(SqlError::new(SqlState::INVALID_GRANT_OPERATION, message))
}
