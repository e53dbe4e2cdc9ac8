//! LATERAL queries that use what stands before them. SQLite has none, but the arguments of a table-valued function
//! may use it: the rows go through one as an array.

use super::{Column, Rendered};
use crate::base::Type;
use crate::sql::expr::typed::{Form, Typed};
use crate::sql::names::quoted;

/// What stands in FROM without its alias, and what each column is.
pub(crate) fn source(rendered: &Rendered, alias: &str) -> (String, Vec<String>) {
    let items: Vec<String> = rendered.columns.iter().map(packed).collect();
    let sql = format!(
        "json_each((SELECT json_group_array(json_array({})) FROM ({})))",
        items.join(", "),
        rendered.sql
    );
    let value = |(place, column): (usize, &Column)| {
        let value = format!("({}.\"value\" ->> '$[{place}]')", quoted(alias));
        if column.ty.ty == Type::BYTEA { format!("fl_bytea_in({value})") } else { value }
    };
    (sql, rendered.columns.iter().enumerate().map(value).collect())
}

fn packed(column: &Column) -> String {
    let value = Typed::plain(quoted(&column.sql_name), column.ty, Form::Other, 0);
    crate::sql::expr::element_sql(&value, false)
}
