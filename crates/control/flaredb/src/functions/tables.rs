//! Everything that exists, gathered from the topics and sorted for looking up.
//!
//! Built once in a process, from constants alone.

use std::sync::LazyLock;

use crate::base::rules::{Cast, Function, Operator};
use crate::base::types::Type;

use crate::functions::{
    aggregate, array, cast, compare, json, number, pattern, set, system, text, time, window,
};

static FUNCTIONS: LazyLock<Vec<Function>> = LazyLock::new(|| {
    let topics = [
        number::FUNCTIONS,
        text::FUNCTIONS,
        pattern::FUNCTIONS,
        time::FUNCTIONS,
        json::FUNCTIONS,
        array::FUNCTIONS,
        aggregate::FUNCTIONS,
        window::FUNCTIONS,
        set::FUNCTIONS,
        system::FUNCTIONS,
        crate::pgcat::FUNCTIONS,
    ];
    let mut all: Vec<Function> = topics.concat();
    all.extend(compare::functions());
    all.sort_by_key(|function| function.name);
    all
});

static OPERATORS: LazyLock<Vec<Operator>> = LazyLock::new(|| {
    let mut all = compare::operators();
    all.extend(number::operators());
    all.extend_from_slice(text::OPERATORS);
    all.extend_from_slice(pattern::OPERATORS);
    all.extend_from_slice(time::OPERATORS);
    all.extend_from_slice(json::OPERATORS);
    all.extend(array::operators());
    all.sort_by_key(|operator| operator.symbol);
    all
});

static CASTS: LazyLock<Vec<Cast>> = LazyLock::new(|| {
    let mut all = cast::casts();
    all.extend(crate::pgcat::casts());
    all.sort_by_key(|cast| (cast.from, cast.to));
    all
});

/// Every function, by name.
pub(crate) fn functions() -> &'static [Function] {
    &FUNCTIONS
}

/// The functions of a name, in the order in which they are declared.
pub(crate) fn named(name: &str) -> &'static [Function] {
    let all = functions();
    let start = all.partition_point(|function| function.name < name);
    let length = all[start..].partition_point(|function| function.name == name);
    &all[start..start + length]
}

/// Every operator, by symbol.
pub(crate) fn operators() -> &'static [Operator] {
    &OPERATORS
}

/// The operators of a symbol. `!=` is written `<>`.
pub(crate) fn symbol(symbol: &str) -> &'static [Operator] {
    let all = operators();
    let start = all.partition_point(|operator| operator.symbol < symbol);
    let length = all[start..].partition_point(|operator| operator.symbol == symbol);
    &all[start..start + length]
}

/// Every cast, by type and target.
pub(crate) fn casts() -> &'static [Cast] {
    &CASTS
}

/// The cast of a type to another.
pub(crate) fn cast_between(from: Type, to: Type) -> Option<&'static Cast> {
    let all = casts();
    all.binary_search_by_key(&(from, to), |cast| (cast.from, cast.to)).ok().map(|place| &all[place])
}
