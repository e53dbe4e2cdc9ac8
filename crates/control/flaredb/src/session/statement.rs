//! Statements that are planned, and portals of them.

use std::sync::Arc;

use rusqlite::types::Value;

use super::bind;
use super::read::Rows;
use crate::base::{Catalog, Settings, SqlError, SqlState, Type};
use crate::sql::plan::{Kind, Plan};
use crate::sql::{Parsed, plan};
use crate::wire::{Field, Formats, Tag};

/// A statement, with the plan that it has for now.
pub(crate) struct Statement {
    pub(super) parsed: Arc<Parsed>,
    pub(super) plan: Arc<Plan>,
    declared: Vec<Option<Type>>,
    /// Of the settings that it was planned with.
    generation: u64,
    pub(super) parameters: Vec<u32>,
    pub(super) fields: Option<Vec<Field>>,
}

impl Statement {
    /// Plans it.
    pub(super) fn new(
        parsed: Arc<Parsed>,
        declared: Vec<Option<Type>>,
        catalog: &Catalog,
        (settings, generation): (&Settings, u64),
    ) -> Result<Self, SqlError> {
        let plan = Arc::new(plan(&parsed, catalog, settings, &declared)?);
        let parameters = plan.parameters.iter().map(|ty| ty.oid()).collect();
        let fields = gives_rows(&plan).then(|| plan.columns.iter().map(bind::field).collect());
        Ok(Self { parsed, plan, declared, generation, parameters, fields })
    }

    /// Its plan for a catalogue, made anew if it was for another one. Errors: 0A000 if it gives other columns now.
    pub(super) fn current(
        &self,
        catalog: &Catalog,
        (settings, generation): (&Settings, u64),
    ) -> Result<Arc<Plan>, SqlError> {
        if self.plan.catalog_version == catalog.version && self.generation == generation {
            return Ok(Arc::clone(&self.plan));
        }
        let declared: Vec<Option<Type>> = self.plan.parameters.iter().map(|ty| Some(*ty)).collect();
        let declared = if declared.len() >= self.declared.len() { declared } else { self.declared.clone() };
        let fresh = plan(&self.parsed, catalog, settings, &declared)?;
        let same = fresh.columns.len() == self.plan.columns.len()
            && fresh.columns.iter().zip(&self.plan.columns).all(|(new, old)| new.ty.ty == old.ty.ty);
        if !same {
            let message = "cached plan must not change result type";
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        Ok(Arc::new(fresh))
    }
}

/// Whether rows come of it.
pub(super) fn gives_rows(plan: &Plan) -> bool {
    match &plan.kind {
        Kind::Query { .. } | Kind::Explain { .. } => true,
        Kind::Write(write) => write.returning,
        Kind::Session(crate::sql::session::Session::Show(_)) => true,
        _ => false,
    }
}

/// A statement with values.
pub(crate) struct Portal {
    pub(super) statement: Arc<Statement>,
    pub(super) plan: Arc<Plan>,
    pub(super) values: Vec<Value>,
    pub(super) formats: Formats,
    pub(super) fields: Option<Vec<Field>>,
    pub(super) fetched: Option<Fetched>,
}

/// Rows that have come, and how far they were given on.
pub(super) struct Fetched {
    pub(super) rows: Rows,
    pub(super) offset: usize,
    pub(super) given: u64,
    pub(super) tag: Tag,
}
