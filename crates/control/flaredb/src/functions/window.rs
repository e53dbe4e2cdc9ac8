//! Window functions: all of SQLite's own, which knows the same ones.

use crate::base::rules::{Function, FunctionKind, Gives, Pattern};
use crate::base::types::Type;

use crate::functions::shape::{ELEMENT, INT4, function, giving};

const fn window(
    name: &'static str,
    arguments: &'static [Pattern],
    result: Type,
    emit: &'static str,
) -> Function {
    let mut window = function(name, arguments, result, emit);
    window.kind = FunctionKind::Window;
    window
}

const fn of_element(name: &'static str, arguments: &'static [Pattern], emit: &'static str) -> Function {
    giving(window(name, arguments, Type::VOID, emit), Gives::Element)
}

/// What PostgreSQL has. `lag` and `lead` count backwards for what is negative, which SQLite refuses.
pub(crate) const FUNCTIONS: &[Function] = &[
    window("row_number", &[], Type::INT8, "row_number()"),
    window("rank", &[], Type::INT8, "rank()"),
    window("dense_rank", &[], Type::INT8, "dense_rank()"),
    window("percent_rank", &[], Type::FLOAT8, "percent_rank()"),
    window("cume_dist", &[], Type::FLOAT8, "cume_dist()"),
    window("ntile", &[INT4], Type::INT4, "ntile({1})"),
    of_element("lag", &[ELEMENT], "lag({1})"),
    of_element("lag", &[ELEMENT, INT4], "lag({1}, {2})"),
    of_element("lag", &[ELEMENT, INT4, ELEMENT], "lag({1}, {2}, {3})"),
    of_element("lead", &[ELEMENT], "lead({1})"),
    of_element("lead", &[ELEMENT, INT4], "lead({1}, {2})"),
    of_element("lead", &[ELEMENT, INT4, ELEMENT], "lead({1}, {2}, {3})"),
    of_element("first_value", &[ELEMENT], "first_value({1})"),
    of_element("last_value", &[ELEMENT], "last_value({1})"),
    of_element("nth_value", &[ELEMENT, INT4], "nth_value({1}, {2})"),
];
