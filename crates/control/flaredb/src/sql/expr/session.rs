//! What an expression may ask of the session: who asks, where, and of its sequences and settings.

use crate::base::{Element, RelationKind, SqlError, SqlState, Type};

use super::typed::{Form, Typed};
use crate::sql::names::{Name, literal};
use crate::sql::plan::Hidden;
use crate::sql::planner::Planner;

const NAME: Type = Type::Scalar(Element::Name);
/// As `version()` tells it.
pub(crate) const VERSION: &str = concat!("PostgreSQL 15.8 (FlareDB ", env!("CARGO_PKG_VERSION"), ")");

impl Planner<'_> {
    /// A word that is a value: `current_user`, `current_date`.
    pub(crate) fn keyword_value(&mut self, name: &str, at: u32) -> Result<Option<Typed>, SqlError> {
        let now = |planner: &mut Self, ty: Type| {
            let value = planner.apply("now", Vec::new(), at)?;
            planner.explicit(value, ty.into()).map(Some)
        };
        let value = match name {
            "current_user" | "user" | "current_role" => literal(&self.settings.user),
            "session_user" => literal(&self.settings.session_user),
            "current_catalog" => literal(&self.settings.database),
            "current_schema" => self.current_schema(),
            "current_timestamp" => return self.apply("now", Vec::new(), at).map(Some),
            "current_date" => return now(self, Type::DATE),
            "localtimestamp" => return now(self, Type::TIMESTAMP),
            "localtime" => return now(self, Type::TIME),
            "current_time" => {
                return Err(SqlError::unsupported("the type time with time zone").at(at));
            }
            _ => return Ok(None),
        };
        Ok(Some(Typed::plain(value, NAME, Form::Other, at)))
    }

    fn current_schema(&self) -> String {
        let path = self.search_path();
        match path.iter().find(|schema| self.catalog.schemas.contains_key(*schema)) {
            Some(schema) => literal(schema),
            None => "NULL".to_owned(),
        }
    }

    /// A function about the session, if it is one.
    pub(crate) fn of_session(&mut self, name: &Name, values: &[Typed]) -> Result<Option<Typed>, SqlError> {
        let at = name.at;
        let plain = |sql: String, ty: Type| Ok(Some(Typed::plain(sql, ty, Form::Other, at)));
        match (name.name.as_str(), values) {
            ("version", []) => plain(literal(VERSION), Type::TEXT),
            ("current_database", []) => plain(literal(&self.settings.database), NAME),
            ("current_schema", []) => plain(self.current_schema(), NAME),
            ("current_schemas", [_]) => {
                let mut path: Vec<String> = self.search_path();
                path.retain(|schema| self.catalog.schemas.contains_key(schema));
                if values[0].sql != "0" {
                    path.insert(0, "pg_catalog".to_owned());
                }
                let json = serde_json::to_string(&path).unwrap_or_default();
                plain(literal(&json), Type::Array(Element::Name))
            }
            ("pg_backend_pid", []) => self.hidden(Hidden::BackendPid, Type::INT4, at).map(Some),
            ("current_setting", [setting]) => self.setting(setting, false).map(Some),
            ("current_setting", [setting, missing]) => self.setting(setting, missing.sql == "1").map(Some),
            ("lastval", []) => self.hidden(Hidden::Lastval, Type::INT8, at).map(Some),
            ("currval", [sequence]) => {
                let oid = self.sequence(sequence)?;
                self.hidden(Hidden::Currval(oid), Type::INT8, at).map(Some)
            }
            ("nextval", [sequence]) => {
                let oid = self.sequence(sequence)?;
                self.next_value(oid, at).map(Some)
            }
            ("setval", [sequence, value]) => self.set_value(sequence, value, None, at).map(Some),
            ("setval", [sequence, value, called]) => {
                self.set_value(sequence, value, Some(called), at).map(Some)
            }
            ("pg_sleep", [_]) => Err(SqlError::unsupported("pg_sleep").at(at)),
            ("inet_server_addr" | "inet_client_addr", []) => plain("NULL".to_owned(), Type::TEXT),
            ("inet_server_port" | "inet_client_port", []) => plain("NULL".to_owned(), Type::INT4),
            ("pg_is_in_recovery", []) => plain("0".to_owned(), Type::BOOL),
            ("txid_current" | "pg_current_xact_id", []) => {
                Err(SqlError::unsupported("numbers of transactions").at(at))
            }
            _ => Ok(None),
        }
    }

    /// The next value of a sequence: what asks for it writes.
    pub(crate) fn next_value(&mut self, oid: u32, at: u32) -> Result<Typed, SqlError> {
        self.touched.sequences = true;
        self.touched.volatile = true;
        self.access(oid, crate::base::catalog::Privilege::Usage);
        let mut value = Typed::plain(format!("fl_nextval({oid})"), Type::INT8, Form::Other, at);
        value.not_null = true;
        value.uses.volatile = true;
        Ok(value)
    }

    fn set_value(
        &mut self,
        sequence: &Typed,
        value: &Typed,
        called: Option<&Typed>,
        at: u32,
    ) -> Result<Typed, SqlError> {
        let oid = self.sequence(sequence)?;
        let value = self.implicit(value.clone(), Type::INT8)?;
        let called = match called {
            Some(called) => self.implicit(called.clone(), Type::BOOL)?.sql,
            None => "1".to_owned(),
        };
        self.touched.sequences = true;
        self.touched.volatile = true;
        self.access(oid, crate::base::catalog::Privilege::Update);
        let mut set =
            Typed::made(format!("fl_setval({oid}, {}, {called})", value.sql), Type::INT8, &[&value], at)?;
        set.uses.volatile = true;
        Ok(set)
    }

    /// The sequence that a constant names.
    fn sequence(&mut self, value: &Typed) -> Result<u32, SqlError> {
        let oid = match &value.form {
            Form::Literal(text) => self.regclass(text).map_err(|error| error.at(value.at))?,
            _ => value.sql.clone(),
        };
        let Ok(oid) = oid.parse::<u32>() else {
            return Err(SqlError::unsupported("a sequence that is named by an expression").at(value.at));
        };
        match self.catalog.relations.get(&oid) {
            Some(relation) if matches!(relation.kind, RelationKind::Sequence(_)) => Ok(oid),
            Some(relation) => {
                let message = format!("\"{}\" is not a sequence", relation.name);
                Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).at(value.at))
            }
            None => {
                let message = format!("could not open relation with OID {oid}");
                Err(SqlError::new(SqlState::UNDEFINED_TABLE, message).at(value.at))
            }
        }
    }

    fn setting(&mut self, value: &Typed, missing_ok: bool) -> Result<Typed, SqlError> {
        let Form::Literal(name) = &value.form else {
            return Err(SqlError::unsupported("a setting that is named by an expression").at(value.at));
        };
        let name = name.to_ascii_lowercase();
        self.hidden(Hidden::Setting { name, missing_ok }, Type::TEXT, value.at)
    }

    /// A value that the session puts in when the statement is executed.
    fn hidden(&mut self, hidden: Hidden, ty: Type, at: u32) -> Result<Typed, SqlError> {
        let place = self.parameters.hide(hidden)?;
        self.touched.volatile = true;
        Ok(Typed::plain(format!("?{place}"), ty, Form::Other, at))
    }
}
