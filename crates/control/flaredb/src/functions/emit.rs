//! Puts arguments into the SQL of a row of the tables.

use crate::base::rules::Function;
use crate::base::types::Type;

/// An argument: SQL that is complete in itself, and its type.
pub(crate) type Argument<'a> = (&'a str, Type);

/// What stands beside the arguments of an aggregate or window function, each as SQLite's SQL.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Aggregation<'a> {
    pub(crate) distinct: bool,
    /// Behind ORDER BY, inside of the call.
    pub(crate) order_by: Option<&'a str>,
    /// The condition behind FILTER (WHERE.
    pub(crate) filter: Option<&'a str>,
    /// Behind OVER: a name, or a definition with its parentheses.
    pub(crate) over: Option<&'a str>,
}

/// Aggregates whose result shows an order. PostgreSQL finds out what is distinct by sorting.
const IN_ORDER: &[&str] =
    &["array_agg", "json_agg", "json_object_agg", "jsonb_agg", "jsonb_object_agg", "string_agg"];

/// The call of a scalar or set-returning function.
pub(crate) fn scalar_call(function: &Function, arguments: &[Argument<'_>]) -> String {
    fill(function.emit, arguments)
}

/// The call of an aggregate or window function.
pub(crate) fn aggregate_call(
    function: &Function,
    arguments: &[Argument<'_>],
    beside: Aggregation<'_>,
) -> String {
    let call = fill(function.emit, arguments);
    let (name, inside) = call.split_once('(').unwrap_or((&call, ")"));
    let inside = inside.strip_suffix(')').unwrap_or(inside);
    let mut sql = format!("{name}(");
    if beside.distinct {
        sql.push_str(&distinct(inside, arguments));
    } else {
        sql.push_str(inside);
    }
    match beside.order_by {
        Some(order) => sql.push_str(&format!(" ORDER BY {order}")),
        None if beside.distinct && IN_ORDER.contains(&function.name) => {
            let keys: Vec<String> = arguments.iter().map(|argument| ordered(*argument)).collect();
            sql.push_str(&format!(" ORDER BY {}", keys.join(", ")));
        }
        None => {}
    }
    sql.push(')');
    if let Some(condition) = beside.filter {
        sql.push_str(&format!(" FILTER (WHERE {condition})"));
    }
    if let Some(window) = beside.over {
        sql.push_str(" OVER ");
        sql.push_str(window);
    }
    sql
}

/// What stands in the call. SQLite lets DISTINCT stand before one argument only: more are packed into one.
fn distinct(inside: &str, arguments: &[Argument<'_>]) -> String {
    match arguments {
        [(sql, ty)] if *sql == inside => match crate::functions::collation(*ty) {
            Some(collation) => format!("DISTINCT {sql} COLLATE {collation}"),
            None => format!("DISTINCT {sql}"),
        },
        [_] => format!("DISTINCT {inside}"),
        _ => format!("DISTINCT fl_pack({inside})"),
    }
}

/// A key of ORDER BY, as PostgreSQL orders.
pub(crate) fn ordered((sql, ty): Argument<'_>) -> String {
    match crate::functions::collation(ty) {
        Some(collation) => format!("{sql} COLLATE {collation} NULLS LAST"),
        None => format!("{sql} NULLS LAST"),
    }
}

/// Replaces every placeholder. What is no placeholder stays.
fn fill(emit: &str, arguments: &[Argument<'_>]) -> String {
    let mut sql = String::with_capacity(emit.len() + 32);
    let mut rest = emit;
    while let Some((before, behind)) = rest.split_once('{') {
        sql.push_str(before);
        let Some((placeholder, behind)) = behind.split_once('}') else { break };
        fill_one(&mut sql, placeholder, arguments);
        rest = behind;
    }
    sql.push_str(rest);
    sql
}

/// `1`, `*`, `2*`, `t1`, `t*`, `t2*`, `zone`.
fn fill_one(sql: &mut String, placeholder: &str, arguments: &[Argument<'_>]) {
    let (typed, place) = match placeholder.strip_prefix('t') {
        Some(place) => (true, place),
        None => (false, placeholder),
    };
    if let Some(from) = place.strip_suffix('*') {
        let from = from.parse::<usize>().unwrap_or(1);
        let parts: Vec<String> =
            arguments.iter().skip(from - 1).map(|argument| one(*argument, typed)).collect();
        if parts.is_empty() && sql.ends_with(", ") {
            sql.truncate(sql.len() - 2);
        }
        sql.push_str(&parts.join(", "));
        return;
    }
    let Some((value, ty)) =
        place.parse::<usize>().ok().and_then(|place| arguments.get(place.wrapping_sub(1)))
    else {
        return;
    };
    if typed { sql.push_str(&ty.oid().to_string()) } else { sql.push_str(value) }
}

fn one((value, ty): Argument<'_>, typed: bool) -> String {
    if typed { format!("{}, {value}", ty.oid()) } else { value.to_owned() }
}
