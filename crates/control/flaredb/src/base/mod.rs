//! The words that all parts of FlareDB share: types, errors, the catalogue, what a statement is evaluated with.
//!
//! Nothing here does anything. A part that parses SQL, one that knows dates and one that speaks to drivers agree
//! on these words and need not know each other.

pub(crate) mod catalog;
pub(crate) mod error;
pub(crate) mod evaluation;
pub(crate) mod rules;
pub(crate) mod settings;
pub(crate) mod types;

pub(crate) use catalog::{Catalog, Column, Constraint, ConstraintKind, Relation, RelationKind};
pub(crate) use error::{SqlError, SqlState};
pub(crate) use evaluation::Evaluation;
pub(crate) use settings::Settings;
pub(crate) use types::{ColumnType, Element, Type};
