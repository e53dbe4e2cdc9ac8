//! What is known while one statement is planned: the catalogue, what its parameters are, what it touches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::catalog::Privilege;
use crate::base::{Catalog, Relation, RelationKind, Settings, SqlError, SqlState, Type};

use crate::sql::names::Name;
use crate::sql::plan::{Access, Hidden};
use crate::sql::query::with::Cte;
use crate::sql::scope::{Clause, Level};
use crate::sql::types::shown;

/// Views within views.
const DEEPEST_VIEW: u32 = 50;

/// See the module.
pub(crate) struct Planner<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) settings: &'a Settings,
    /// The string that the statement stands in.
    pub(crate) text: &'a str,
    pub(crate) parameters: Parameters,
    pub(crate) levels: Vec<Level>,
    /// In sight, the innermost last.
    pub(crate) ctes: Vec<Cte>,
    pub(crate) touched: Touched,
    /// Views being expanded: what they touch is their owner's business.
    views: u32,
    /// Numbers for names that nobody wrote.
    made: u32,
    /// Queries within queries.
    pub(crate) queries: u32,
    /// How the keys of the query's ORDER BY are ordered.
    pub(crate) directions: Vec<String>,
    /// INSERT names no columns: then fewer values may come than there are.
    pub(crate) all_columns: bool,
}

/// What a statement touches.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    accesses: BTreeMap<(u32, Privilege), BTreeSet<i16>>,
    /// Tables of the system.
    pub(crate) systems: BTreeSet<String>,
    /// Rows are to be locked.
    pub(crate) locks: bool,
    /// It draws from a sequence, so that it writes.
    pub(crate) sequences: bool,
    /// Its answer depends on chance or time.
    pub(crate) volatile: bool,
    /// Every relation that it reads, those of views included.
    pub(crate) reads: BTreeSet<u32>,
    /// Columns that it names, by relation and number, those of views included.
    pub(crate) columns: BTreeSet<(u32, i16)>,
}

/// What is known of the parameters.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    types: Vec<Option<Type>>,
    /// What the session puts in behind them.
    hidden: Vec<Hidden>,
    /// They may not stand here at all, for this reason.
    refused: Option<&'static str>,
}

impl Parameters {
    /// So many, some declared.
    pub(crate) fn of(count: u32, declared: &[Option<Type>]) -> Self {
        let count = (count as usize).max(declared.len());
        let mut types = declared.to_vec();
        types.resize(count, None);
        for ty in &mut types {
            ty.take_if(|ty| *ty == Type::UNKNOWN);
        }
        Self { types, hidden: Vec::new(), refused: None }
    }

    /// For what is kept in the catalogue.
    pub(crate) fn none() -> Self {
        Self { types: Vec::new(), hidden: Vec::new(), refused: Some("definitions") }
    }

    /// What it is so far.
    pub(crate) fn get(&self, number: u32) -> Result<Option<Type>, SqlError> {
        let place = (number as usize).wrapping_sub(1);
        match (self.refused, self.types.get(place)) {
            (None, Some(ty)) => Ok(*ty),
            _ => {
                Err(SqlError::new(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter ${number}")))
            }
        }
    }

    /// What stands around it wants this type.
    pub(crate) fn decide(&mut self, number: u32, ty: Type, at: u32) -> Result<(), SqlError> {
        let Some(slot) = self.types.get_mut((number as usize).wrapping_sub(1)) else { return Ok(()) };
        match slot {
            None => {
                *slot = Some(ty);
                Ok(())
            }
            Some(known) if *known == ty => Ok(()),
            Some(known) => {
                let message = format!("inconsistent types deduced for parameter ${number}");
                let detail = format!("{} versus {}", shown(*known), shown(ty));
                Err(SqlError::new(SqlState::AMBIGUOUS_PARAMETER, message).with_detail(detail).at(at))
            }
        }
    }

    /// One that the session puts in: its number.
    pub(crate) fn hide(&mut self, hidden: Hidden) -> Result<usize, SqlError> {
        if self.refused.is_some() {
            return Err(SqlError::unsupported("what depends on the session within a definition"));
        }
        let place = self.hidden.iter().position(|known| *known == hidden).unwrap_or_else(|| {
            self.hidden.push(hidden);
            self.hidden.len() - 1
        });
        Ok(self.types.len() + place + 1)
    }

    /// What the session puts in, at the end.
    pub(crate) fn take_hidden(&mut self) -> Vec<Hidden> {
        std::mem::take(&mut self.hidden)
    }

    /// All of them, at the end.
    pub(crate) fn finished(self) -> Result<Vec<Type>, SqlError> {
        let known = self.types.iter().enumerate().map(|(place, ty)| {
            ty.ok_or_else(|| {
                let message = format!("could not determine data type of parameter ${}", place + 1);
                SqlError::new(SqlState::INDETERMINATE_DATATYPE, message)
            })
        });
        known.collect()
    }
}

impl<'a> Planner<'a> {
    pub(crate) fn new(
        catalog: &'a Catalog,
        settings: &'a Settings,
        text: &'a str,
        parameters: Parameters,
    ) -> Self {
        Self {
            catalog,
            settings,
            text,
            parameters,
            levels: Vec::new(),
            ctes: Vec::new(),
            touched: Touched::default(),
            views: 0,
            made: 0,
            queries: 0,
            directions: Vec::new(),
            all_columns: false,
        }
    }

    /// The query that is being planned.
    pub(crate) fn level(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level::default());
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    /// Runs it in another clause of the query.
    pub(crate) fn within<T>(
        &mut self,
        clause: Clause,
        work: impl FnOnce(&mut Self) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        let before = std::mem::replace(&mut self.level().clause, clause);
        let done = work(self);
        self.level().clause = before;
        done
    }

    /// Runs it with a query of its own inside of the others.
    pub(crate) fn inside<T>(
        &mut self,
        level: Level,
        work: impl FnOnce(&mut Self) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        self.levels.push(level);
        let ctes = self.ctes.len();
        let done = work(self);
        self.ctes.truncate(ctes);
        self.levels.pop();
        done
    }

    /// Runs it as the definition of a view: it sees nothing around it, and touches in the owner's name.
    pub(crate) fn as_view<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        if self.views >= DEEPEST_VIEW {
            return Err(crate::sql::parse::too_deep());
        }
        let levels = std::mem::take(&mut self.levels);
        let ctes = std::mem::take(&mut self.ctes);
        let parameters = std::mem::replace(&mut self.parameters, Parameters::none());
        self.views += 1;
        let done = work(self);
        self.views -= 1;
        (self.levels, self.ctes, self.parameters) = (levels, ctes, parameters);
        done
    }

    /// A name in SQLite that nobody else gives: the number makes it differ within the statement.
    pub(crate) fn made_name(&mut self, base: &str) -> String {
        loop {
            self.made += 1;
            let name = format!("{base}:{}", self.made);
            if !self.catalog.relations.values().any(|relation| relation.stored_as == name) {
                return name;
            }
        }
    }

    /// That the relation is touched so.
    pub(crate) fn access(&mut self, relation: u32, privilege: Privilege) {
        self.touched.reads.insert(relation);
        if self.views == 0 {
            self.touched.accesses.entry((relation, privilege)).or_default();
        }
    }

    /// That a column of it is touched so.
    pub(crate) fn access_column(&mut self, (relation, column): (u32, i16), privilege: Privilege) {
        self.touched.columns.insert((relation, column));
        if self.views == 0 {
            self.touched.accesses.entry((relation, privilege)).or_default().insert(column);
        }
    }

    /// What of it the caller has to permit.
    pub(crate) fn accesses(&self) -> Vec<Access> {
        self.touched
            .accesses
            .iter()
            .map(|((relation, privilege), columns)| Access {
                relation: *relation,
                privilege: *privilege,
                columns: columns.iter().copied().collect(),
            })
            .collect()
    }

    /// The schemas that a bare name is looked up in.
    pub(crate) fn search_path(&self) -> Vec<String> {
        let mut path = Vec::new();
        for schema in &self.settings.search_path {
            path.push(if schema == "$user" { self.settings.user.clone() } else { schema.clone() });
        }
        path
    }

    /// The schema that something new without one goes into.
    pub(crate) fn creation_schema(&self, name: &Name) -> Result<String, SqlError> {
        if let Some(schema) = &name.schema {
            if !self.catalog.schemas.contains_key(schema) {
                return Err(no_schema(schema).at(name.at));
            }
            return Ok(schema.clone());
        }
        let found = self.search_path().into_iter().find(|schema| self.catalog.schemas.contains_key(schema));
        found.ok_or_else(|| {
            SqlError::new(SqlState::INVALID_SCHEMA_NAME, "no schema has been selected to create in")
                .at(name.at)
        })
    }

    /// The relation of a name, if there is one.
    pub(crate) fn find(&self, name: &Name) -> Option<&'a Arc<Relation>> {
        match &name.schema {
            Some(schema) => self.catalog.find(schema, &name.name),
            None => self.search_path().iter().find_map(|schema| self.catalog.find(schema, &name.name)),
        }
    }

    /// The relation of a name. Errors: 42P01.
    pub(crate) fn relation(&self, name: &Name) -> Result<&'a Arc<Relation>, SqlError> {
        self.find(name).ok_or_else(|| no_relation(name))
    }

    /// A table that rows can be written to. Errors: 42P01, 42809, 55000 for a view.
    pub(crate) fn table(&self, name: &Name, doing: &str) -> Result<&'a Arc<Relation>, SqlError> {
        let relation = self.relation(name)?;
        match relation.kind {
            RelationKind::Table => Ok(relation),
            RelationKind::View { .. } => {
                let message = format!("cannot {doing} view \"{}\"", relation.name);
                Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
                    .with_detail("Views are not automatically updatable.")
                    .with_hint("Write to the table that it shows."))
            }
            RelationKind::Index { .. } => {
                Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is an index", relation.name)))
            }
            RelationKind::Sequence(_) => {
                let message = format!("cannot change sequence \"{}\"", relation.name);
                Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message))
            }
        }
    }
}

/// There is no such relation.
pub(crate) fn no_relation(name: &Name) -> SqlError {
    SqlError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{}\" does not exist", name.shown()))
        .at(name.at)
}

/// There is no such schema.
pub(crate) fn no_schema(name: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"))
}
