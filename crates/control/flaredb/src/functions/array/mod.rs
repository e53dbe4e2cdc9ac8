//! Arrays: kept as JSON arrays of their elements as those are kept.

use crate::base::rules::{Function, Gives, Operator, Pattern};
use crate::base::types::{Element, Type};

use crate::functions::call::Scalar;
use crate::functions::compare::ORDERED;
use crate::functions::shape::{ARRAY, BOOL, ELEMENT, INT4, TEXT, function, giving, operator, stable};

pub(crate) mod change;
pub(crate) mod shape;
pub(crate) mod strings;
#[cfg(test)]
mod tests;

/// What SQLite calls.
pub(crate) const SCALARS: &[&[Scalar]] = &[change::SCALARS, shape::SCALARS, strings::SCALARS];

const INT4S: Type = Type::Array(Element::Int4);
const SUBSCRIPTS: Pattern = Pattern::Exact(INT4S);

const fn gives_array(name: &'static str, arguments: &'static [Pattern], emit: &'static str) -> Function {
    giving(function(name, arguments, Type::VOID, emit), Gives::Array)
}

const fn of(name: &'static str, arguments: &'static [Pattern], result: Type, emit: &'static str) -> Function {
    function(name, arguments, result, emit)
}

/// What PostgreSQL has. `array_get` is ours: `a[i]`, `a[i][j]`; so is `array_slice(a, from, to)` for one
/// dimension, with NULL for an open end; so are `array_any`… for `= ANY`, which the translator writes out.
pub(crate) const FUNCTIONS: &[Function] = &[
    of("array_length", &[ARRAY, INT4], Type::INT4, "fl_array_length({1}, {2})"),
    of("array_upper", &[ARRAY, INT4], Type::INT4, "fl_array_length({1}, {2})"),
    of("array_lower", &[ARRAY, INT4], Type::INT4, "fl_array_lower({1}, {2})"),
    of("array_ndims", &[ARRAY], Type::INT4, "fl_array_ndims({1})"),
    of("array_dims", &[ARRAY], Type::TEXT, "fl_array_dims({1})"),
    of("cardinality", &[ARRAY], Type::INT4, "fl_cardinality({1})"),
    of("array_position", &[ARRAY, ELEMENT], Type::INT4, "fl_array_position({t1}, {1}, {2}, 1)"),
    of("array_position", &[ARRAY, ELEMENT, INT4], Type::INT4, "fl_array_position({t1}, {1}, {2}, {3})"),
    of("array_positions", &[ARRAY, ELEMENT], INT4S, "fl_array_positions({t1}, {1}, {2})"),
    gives_array("array_append", &[ARRAY, ELEMENT], "fl_array_append({1}, {2})"),
    gives_array("array_prepend", &[ELEMENT, ARRAY], "fl_array_prepend({1}, {2})"),
    gives_array("array_cat", &[ARRAY, ARRAY], "fl_array_cat({1}, {2})"),
    gives_array("array_remove", &[ARRAY, ELEMENT], "fl_array_remove({t1}, {1}, {2})"),
    gives_array("array_replace", &[ARRAY, ELEMENT, ELEMENT], "fl_array_replace({t1}, {1}, {2}, {3})"),
    gives_array("trim_array", &[ARRAY, INT4], "fl_trim_array({1}, {2})"),
    gives_array("array_fill", &[ELEMENT, SUBSCRIPTS], "fl_array_fill({1}, {2})"),
    stable(of("array_to_string", &[ARRAY, TEXT], Type::TEXT, "fl_array_to_string({t1}, {1}, {2}, NULL)")),
    stable(of(
        "array_to_string",
        &[ARRAY, TEXT, TEXT],
        Type::TEXT,
        "fl_array_to_string({t1}, {1}, {2}, {3})",
    )),
    stable(of("array_to_json", &[ARRAY, BOOL], Type::JSON, "fl_array_to_json({t1}, {1}, {2})")),
    giving(function("array_get", &[ARRAY, INT4], Type::VOID, "fl_array_get({t1}, {*})"), Gives::Element),
    giving(
        function("array_get", &[ARRAY, INT4, INT4], Type::VOID, "fl_array_get({t1}, {*})"),
        Gives::Element,
    ),
    giving(
        function("array_get", &[ARRAY, INT4, INT4, INT4], Type::VOID, "fl_array_get({t1}, {*})"),
        Gives::Element,
    ),
    gives_array("array_slice", &[ARRAY, INT4, INT4], "fl_array_slice({1}, {2}, {3})"),
    of("width_bucket", &[ELEMENT, ARRAY], Type::INT4, "fl_array_width_bucket({t1}, {1}, {2})"),
];

/// What PostgreSQL has between arrays, but comparisons; and text with what is no array.
pub(crate) fn operators() -> Vec<Operator> {
    let mut rows = Vec::new();
    for element in Element::all().filter(|element| element.array_oid() != 0) {
        let (array, one) = (Type::Array(element), Type::Scalar(element));
        rows.push(operator("||", array, array, array, "fl_array_cat({l}, {r})"));
        rows.push(operator("||", array, one, array, "fl_array_append({l}, {r})"));
        rows.push(operator("||", one, array, array, "fl_array_prepend({l}, {r})"));
        if !ORDERED.contains(&element) && element != Element::Varchar {
            continue;
        }
        // Once in a process, for the table that lives as long.
        let typed = |name: &str, left: &str, right: &str| -> &'static str {
            format!("{name}({}, {left}, {right})", array.oid()).leak()
        };
        rows.push(operator("@>", array, array, Type::BOOL, typed("fl_array_contains", "{l}", "{r}")));
        rows.push(operator("<@", array, array, Type::BOOL, typed("fl_array_contains", "{r}", "{l}")));
        rows.push(operator("&&", array, array, Type::BOOL, typed("fl_array_overlaps", "{l}", "{r}")));
    }
    rows
}
