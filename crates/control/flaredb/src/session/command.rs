//! Statements about the session itself: transactions, settings, what it keeps.

use super::block::Block;
use super::execute::Done;
use super::read::Rows;
use super::{Session, settings};
use crate::base::settings::IntervalStyle;
use crate::base::{SqlError, SqlState};
use crate::engine::put;
use crate::proto::call::point::Verb;
use crate::sql::session::{Discard, Modes, Session as Command, SetTo};
use crate::wire::Tag;
use rusqlite::types::ValueRef;

impl Session {
    pub(super) async fn command(&mut self, command: &Command) -> Result<Option<Done>, SqlError> {
        match command {
            Command::Begin { modes, start } => {
                self.begin(*modes);
                Ok(Done::of(if *start { "START TRANSACTION" } else { "BEGIN" }))
            }
            Command::Commit { chain } => self.end(true, *chain).await,
            Command::Rollback { chain } => self.end(false, *chain).await,
            Command::Savepoint(name) => self.point(Verb::Set, name).await.map(|()| Done::of("SAVEPOINT")),
            Command::Release(name) => self.point(Verb::Release, name).await.map(|()| Done::of("RELEASE")),
            Command::RollbackTo(name) => self.point(Verb::Back, name).await.map(|()| Done::of("ROLLBACK")),
            Command::SetTransaction(modes) => {
                if let (Some(block), Some(read_only)) = (&mut self.block, modes.read_only) {
                    block.read_only = read_only;
                }
                Ok(Done::of("SET"))
            }
            Command::SetCharacteristics(modes) => {
                if let Some(read_only) = modes.read_only {
                    let value = if read_only { "on" } else { "off" };
                    self.set("default_transaction_read_only", value, false)?;
                }
                Ok(Done::of("SET"))
            }
            Command::SetConstraints { .. } => Err(SqlError::unsupported("SET CONSTRAINTS")),
            Command::Set { name, to, local } => {
                match to {
                    SetTo::Default => self.reset(name)?,
                    SetTo::Values(values) => self.set(name, &values.join(", "), *local)?,
                }
                Ok(Done::of("SET"))
            }
            Command::Show(name) => self.show(name.as_deref()).map(Some),
            Command::Reset(name) => {
                match name {
                    Some(name) => self.reset(name)?,
                    None => {
                        let told = self.parameters.reset_all();
                        self.tell(told);
                    }
                }
                Ok(Done::of("RESET"))
            }
            Command::SetRole { role, .. } => self.set_role(role.as_deref()),
            Command::SetSessionAuthorization { .. } => {
                Err(SqlError::unsupported("SET SESSION AUTHORIZATION"))
            }
            Command::Fetch { cursor, .. } => {
                let message = format!("cursor \"{cursor}\" does not exist");
                Err(SqlError::new(SqlState::INVALID_CURSOR_NAME, message))
            }
            Command::Close(name) => {
                match name {
                    None => self.prepared.close_portals(),
                    Some(name) => {
                        if !self.prepared.close_portal(name) {
                            let message = format!("cursor \"{name}\" does not exist");
                            return Err(SqlError::new(SqlState::INVALID_CURSOR_NAME, message));
                        }
                    }
                }
                Ok(Done::of("CLOSE CURSOR"))
            }
            Command::Deallocate(name) => {
                match name {
                    None => self.prepared.close_statements(),
                    Some(name) => {
                        if !self.prepared.close_statement(name) {
                            let message = format!("prepared statement \"{name}\" does not exist");
                            return Err(SqlError::new(SqlState::INVALID_SQL_STATEMENT_NAME, message));
                        }
                    }
                }
                Ok(Done::of(if name.is_none() { "DEALLOCATE ALL" } else { "DEALLOCATE" }))
            }
            Command::Discard(what) => self.discard(*what),
            Command::Listen(_) | Command::Notify { .. } => Err(SqlError::unsupported("LISTEN and NOTIFY")),
            Command::Unlisten(_) => Ok(Done::of("UNLISTEN")),
            Command::Maintenance { command, .. } => {
                if self.block.as_ref().is_some_and(|block| block.explicit) && *command == "VACUUM" {
                    let message = "VACUUM cannot run inside a transaction block";
                    return Err(SqlError::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
                }
                let message = format!("{command} has done nothing: the database keeps itself in order");
                self.notices.push(SqlError::new(SqlState::SUCCESSFUL_COMPLETION, message));
                Ok(Done::of(command))
            }
            Command::Nothing(tag) => Ok(Done::of(tag)),
        }
    }

    fn begin(&mut self, modes: Modes) {
        let read_only =
            modes.read_only.unwrap_or_else(|| self.parameters.is_on("default_transaction_read_only"));
        if let Some(block) = &mut self.block {
            if block.explicit {
                let message = "there is already a transaction in progress";
                self.notices.push(SqlError::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
            }
            block.explicit = true;
            return;
        }
        let now = self.now();
        self.block = Some(Block::new(true, read_only, now));
    }

    async fn end(&mut self, commit: bool, chain: bool) -> Result<Option<Done>, SqlError> {
        let Some(block) = &self.block else {
            let message = "there is no transaction in progress";
            self.notices.push(SqlError::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, message));
            return Ok(Done::of(if commit { "COMMIT" } else { "ROLLBACK" }));
        };
        let (failed, read_only) = (block.failed, block.read_only);
        self.prepared.close_portals();
        let tag = if commit && !failed {
            self.commit().await?;
            "COMMIT"
        } else {
            self.roll_back().await;
            "ROLLBACK"
        };
        if chain {
            let now = self.now();
            self.block = Some(Block::new(true, read_only, now));
        }
        Ok(Done::of(tag))
    }

    pub(super) fn set(&mut self, name: &str, value: &str, local: bool) -> Result<(), SqlError> {
        let told = self
            .parameters
            .set(name, value, local, |zone| crate::value::time::zone(zone).ok().map(|_| zone.to_owned()))?;
        if self.block.is_none() {
            let more = self.parameters.commit();
            self.told.extend(more);
        }
        self.tell(told.into_iter().collect());
        Ok(())
    }

    fn reset(&mut self, name: &str) -> Result<(), SqlError> {
        let told = self.parameters.reset(name)?;
        self.tell(told.into_iter().collect());
        Ok(())
    }

    fn set_role(&mut self, role: Option<&str>) -> Result<Option<Done>, SqlError> {
        let catalog = self.catalog();
        let own = self.settings.session_user.clone();
        let role = role.unwrap_or(&own);
        if !catalog.roles.contains_key(role) {
            return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{role}\" does not exist")));
        }
        let superuser = catalog.roles.get(&own).is_some_and(|role| role.superuser);
        if !superuser && !crate::base::catalog::is_member(&catalog, &own, role) {
            let message = format!("permission denied to set role \"{role}\"");
            return Err(SqlError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
        }
        role.clone_into(&mut self.settings.user);
        self.generation += 1;
        Ok(Done::of("SET"))
    }

    /// One row of one text, or of all settings three texts each.
    fn show(&self, name: Option<&str>) -> Result<Done, SqlError> {
        let mut rows = Rows::default();
        match name {
            Some(name) => {
                let (_, value) = self.parameters.show(name)?;
                put(&mut rows.bytes, ValueRef::Text(value.as_bytes()));
                rows.count = 1;
            }
            None => {
                for (name, value) in self.parameters.all() {
                    for text in [name, value.as_str(), ""] {
                        put(&mut rows.bytes, ValueRef::Text(text.as_bytes()));
                    }
                    rows.count += 1;
                }
            }
        }
        Ok(Done { rows: Some(rows), tag: Tag::of("SHOW") })
    }

    fn discard(&mut self, what: Discard) -> Result<Option<Done>, SqlError> {
        let tag = match what {
            Discard::All => {
                if self.block.is_some() {
                    let message = "DISCARD ALL cannot run inside a transaction block";
                    return Err(SqlError::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
                }
                self.prepared.close_statements();
                self.prepared.close_portals();
                let told = self.parameters.reset_all();
                self.tell(told);
                self.sequences.clear();
                self.last_sequence = None;
                "DISCARD ALL"
            }
            Discard::Plans => "DISCARD PLANS",
            Discard::Sequences => {
                self.sequences.clear();
                self.last_sequence = None;
                "DISCARD SEQUENCES"
            }
            Discard::Temp => "DISCARD TEMP",
        };
        Ok(Done::of(tag))
    }

    /// Takes over what planning and values need of the settings.
    pub(super) fn settings_changed(&mut self) {
        let before = self.settings.clone();
        let get = |name: &str| self.parameters.get(name).to_owned();
        let zone = get("timezone");
        if let Ok(found) = crate::value::time::zone(&zone) {
            self.settings.time_zone = found;
            self.settings.time_zone_name = zone;
        }
        self.settings.search_path = settings::names(&get("search_path"));
        self.settings.bytea_escape = get("bytea_output") == "escape";
        self.settings.extra_float_digits = get("extra_float_digits").parse().unwrap_or(1);
        self.settings.interval_style = match get("intervalstyle").as_str() {
            "postgres_verbose" => IntervalStyle::PostgresVerbose,
            "sql_standard" => IntervalStyle::SqlStandard,
            "iso_8601" => IntervalStyle::Iso8601,
            _ => IntervalStyle::Postgres,
        };
        if before != self.settings {
            self.generation += 1;
        }
    }
}
