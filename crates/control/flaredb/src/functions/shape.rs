//! Short ways to write the rows of the tables.

use crate::base::rules::{Function, FunctionKind, Gives, Operator, Pattern, Volatility};
use crate::base::types::{Element, Type};

pub(crate) const BOOL: Pattern = Pattern::Exact(Type::BOOL);
pub(crate) const INT2: Pattern = Pattern::Exact(Type::INT2);
pub(crate) const INT4: Pattern = Pattern::Exact(Type::INT4);
pub(crate) const INT8: Pattern = Pattern::Exact(Type::INT8);
pub(crate) const FLOAT4: Pattern = Pattern::Exact(Type::FLOAT4);
pub(crate) const FLOAT8: Pattern = Pattern::Exact(Type::FLOAT8);
pub(crate) const NUMERIC: Pattern = Pattern::Exact(Type::NUMERIC);
pub(crate) const TEXT: Pattern = Pattern::Exact(Type::TEXT);
pub(crate) const BPCHAR: Pattern = Pattern::Exact(Type::BPCHAR);
pub(crate) const NAME: Pattern = Pattern::Exact(Type::NAME);
pub(crate) const BYTEA: Pattern = Pattern::Exact(Type::BYTEA);
pub(crate) const UUID: Pattern = Pattern::Exact(Type::UUID);
pub(crate) const TIMESTAMPTZ: Pattern = Pattern::Exact(Type::TIMESTAMPTZ);
pub(crate) const TIMESTAMP: Pattern = Pattern::Exact(Type::TIMESTAMP);
pub(crate) const DATE: Pattern = Pattern::Exact(Type::DATE);
pub(crate) const TIME: Pattern = Pattern::Exact(Type::TIME);
pub(crate) const INTERVAL: Pattern = Pattern::Exact(Type::INTERVAL);
pub(crate) const JSON: Pattern = Pattern::Exact(Type::JSON);
pub(crate) const JSONB: Pattern = Pattern::Exact(Type::JSONB);
pub(crate) const RECORD: Pattern = Pattern::Exact(Type::RECORD);
pub(crate) const TEXTS: Pattern = Pattern::Exact(Type::Array(Element::Text));
pub(crate) const ANY: Pattern = Pattern::Any;
pub(crate) const ELEMENT: Pattern = Pattern::AnyElement;
pub(crate) const ARRAY: Pattern = Pattern::AnyArray;

/// An immutable function of one value for each row.
pub(crate) const fn function(
    name: &'static str,
    arguments: &'static [Pattern],
    result: Type,
    emit: &'static str,
) -> Function {
    Function {
        name,
        arguments,
        variadic: None,
        optional: 0,
        result: Gives::Exact(result),
        kind: FunctionKind::Scalar,
        volatility: Volatility::Immutable,
        emit,
    }
}

/// The same function, that may differ from statement to statement.
pub(crate) const fn stable(mut function: Function) -> Function {
    function.volatility = Volatility::Stable;
    function
}

/// The same function, that may differ from call to call.
pub(crate) const fn volatile(mut function: Function) -> Function {
    function.volatility = Volatility::Volatile;
    function
}

/// The same function, with more arguments of this kind behind.
pub(crate) const fn variadic(mut function: Function, more: Pattern) -> Function {
    function.variadic = Some(more);
    function
}

/// The same function, giving what its arguments decide.
pub(crate) const fn giving(mut function: Function, result: Gives) -> Function {
    function.result = result;
    function
}

/// An aggregate.
pub(crate) const fn aggregate(
    name: &'static str,
    arguments: &'static [Pattern],
    result: Type,
    emit: &'static str,
) -> Function {
    let mut aggregate = function(name, arguments, result, emit);
    aggregate.kind = FunctionKind::Aggregate;
    aggregate
}

/// A function that gives rows.
pub(crate) const fn rows(
    name: &'static str,
    arguments: &'static [Pattern],
    result: Type,
    emit: &'static str,
) -> Function {
    let mut rows = function(name, arguments, result, emit);
    rows.kind = FunctionKind::SetReturning;
    rows
}

/// An operator between two values.
pub(crate) const fn operator(
    symbol: &'static str,
    left: Type,
    right: Type,
    result: Type,
    emit: &'static str,
) -> Operator {
    let (left, right) = (Some(Pattern::Exact(left)), Pattern::Exact(right));
    Operator { symbol, left, right, result: Gives::Exact(result), emit }
}

/// An operator before a value.
pub(crate) const fn prefix(symbol: &'static str, right: Type, result: Type, emit: &'static str) -> Operator {
    Operator { symbol, left: None, right: Pattern::Exact(right), result: Gives::Exact(result), emit }
}
