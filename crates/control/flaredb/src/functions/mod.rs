//! What PostgreSQL's expressions need from SQLite: functions, operators, casts, aggregates and collations.
//!
//! [`functions`], [`operators`] and [`casts`] say what there is and what each becomes in SQLite; [`register`] gives
//! a connection what that SQL calls, all of it under names that begin with `fl_`. What is declared stands beside
//! the code that runs. Nothing here reads a clock or draws by chance but from the [`crate::base::Evaluation`].
//!
//! # What an `emit` may hold
//! Arguments come in as SQL that is complete in itself, and so does the result. Beside `{1}`, `{2}`, …, `{l}` and
//! `{r}`, an emit of a function may hold, where an argument may be of any type:
//! - `{t1}`: the OID of the type of argument 1, as an integer literal;
//! - `{t*}`: OID and value of each argument, one after the other, separated by commas: `23, a, 25, b`;
//! - `{t2*}`: the same, from argument 2 on; `{2*}`: the values from argument 2 on.
//!
//! [`scalar_call`] and [`aggregate_call`] fill all of that in; a translator need not know the list above.
//! The emit of an aggregate or window function is one call, so that DISTINCT, ORDER BY, FILTER and OVER find their
//! places in it: that is what [`aggregate_call`] does. What WITHIN GROUP orders by is the last argument of such an
//! aggregate, and its ORDER BY too.
//!
//! # Collations
//! [`collation`] is the order of a type's values where bytes are not it. A column of such a type is declared with
//! it, and so is what stands in ORDER BY, GROUP BY, DISTINCT and IN.
//!
//! # Rejected
//! - `jsonb_path_*` and `@?`, `@@`: a language of its own.
//! - Look-around and back references in regular expressions: no bound on time is known for them.

pub(crate) mod aggregate;
pub(crate) mod array;
pub(crate) mod call;
pub(crate) mod cast;
#[cfg(test)]
mod check;
pub(crate) mod compare;
pub(crate) mod emit;
pub(crate) mod error;
pub(crate) mod json;
pub(crate) mod number;
pub(crate) mod order;
pub(crate) mod output;
pub(crate) mod own;
pub(crate) mod pack;
pub(crate) mod pattern;
pub(crate) mod register;
pub(crate) mod set;
pub(crate) mod shape;
pub(crate) mod system;
pub(crate) mod tables;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod window;

pub(crate) use compare::collation;
pub(crate) use emit::{Aggregation, aggregate_call, scalar_call};
pub(crate) use error::{encode, error_of};
pub(crate) use register::register;
pub(crate) use set::columns;
pub(crate) use tables::{cast_between, casts, functions, named, operators, symbol};
