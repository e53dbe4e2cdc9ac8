//! What a query gives before its SQL is written.

use crate::base::{ColumnType, SqlError, Type};
use sqlparser::ast::SetExpr;

use super::order::Key;
use super::{Column, aliased, unique_names};
use crate::sql::expr::common::{common_modifier, common_type};
use crate::sql::expr::typed::{Form, Typed, Uses};
use crate::sql::names::quoted;
use crate::sql::planner::Planner;

/// A column of the select list.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) value: Typed,
}

/// See the module.
pub(crate) enum Body {
    Select(Box<Select>),
    Values(Vec<Vec<Typed>>),
    Set(Box<Set>),
}

/// A SELECT.
pub(crate) struct Select {
    pub(crate) outputs: Vec<Output>,
    /// `DISTINCT`, with a blank behind it; or nothing.
    pub(crate) distinct: bool,
    /// From FROM to HAVING, with a blank before it.
    pub(crate) tail: String,
    /// ORDER BY, with a blank before it.
    pub(crate) order: String,
    /// What of the tail uses the queries around it.
    pub(crate) uses: Uses,
    pub(crate) depth: u32,
    /// It gives one row.
    pub(crate) one: bool,
    /// `DISTINCT ON`: what is put around the whole.
    pub(crate) on: Option<super::distinct::On>,
}

/// UNION, INTERSECT, EXCEPT.
pub(crate) struct Set {
    pub(crate) left: Body,
    pub(crate) right: Body,
    pub(crate) operator: &'static str,
    pub(crate) all: bool,
}

/// A body's SQL.
pub(crate) struct Written {
    pub(crate) sql: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) uses: Uses,
    pub(crate) depth: u32,
    /// It cannot stand as it is where one SELECT is wanted.
    pub(crate) compound: bool,
}

impl Body {
    /// Its columns so far: names and values that show their types.
    pub(crate) fn outputs(&self) -> Vec<Output> {
        match self {
            Self::Select(select) => select.outputs.clone(),
            Self::Values(rows) => {
                let first = rows.first().cloned().unwrap_or_default();
                let numbered = first.into_iter().enumerate();
                numbered
                    .map(|(place, value)| Output { name: format!("column{}", place + 1), value })
                    .collect()
            }
            Self::Set(set) => set.left.outputs(),
        }
    }

    /// How many columns it has.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Select(select) => select.outputs.len(),
            Self::Values(rows) => rows.first().map_or(0, Vec::len),
            Self::Set(set) => set.left.width(),
        }
    }

    /// Every value that stands in a column.
    pub(crate) fn values_of(&self, column: usize) -> Vec<&Typed> {
        match self {
            Self::Select(select) => {
                select.outputs.get(column).map(|output| &output.value).into_iter().collect()
            }
            Self::Values(rows) => rows.iter().filter_map(|row| row.get(column)).collect(),
            Self::Set(set) => {
                let mut values = set.left.values_of(column);
                values.extend(set.right.values_of(column));
                values
            }
        }
    }

    /// Changes every value of a column.
    pub(crate) fn change(
        &mut self,
        column: usize,
        change: &mut dyn FnMut(Typed) -> Result<Typed, SqlError>,
    ) -> Result<(), SqlError> {
        match self {
            Self::Select(select) => {
                if let Some(output) = select.outputs.get_mut(column) {
                    let value = std::mem::replace(&mut output.value, nothing());
                    output.value = change(value)?;
                }
            }
            Self::Values(rows) => {
                for value in rows.iter_mut().filter_map(|row| row.get_mut(column)) {
                    let taken = std::mem::replace(value, nothing());
                    *value = change(taken)?;
                }
            }
            Self::Set(set) => {
                set.left.change(column, change)?;
                set.right.change(column, change)?;
            }
        }
        Ok(())
    }
}

fn nothing() -> Typed {
    Typed::plain("NULL", Type::UNKNOWN, Form::Null, 0)
}

impl Planner<'_> {
    /// The body of a query. `order`: what it is to be ordered by, which a SELECT sees to itself.
    pub(crate) fn body(
        &mut self,
        body: &SetExpr,
        order: &[Key<'_>],
        wanted: &[Type],
    ) -> Result<Body, SqlError> {
        match body {
            SetExpr::Select(select) => Ok(Body::Select(Box::new(self.select(select, order)?))),
            SetExpr::Values(values) => self.values(values, wanted),
            SetExpr::Query(query) => self.inner_query(query, wanted),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                self.set_operation(left, *op, *set_quantifier, right)
            }
            SetExpr::Table(table) => self.table_query(table),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                Err(SqlError::unsupported("a statement that writes within WITH"))
            }
        }
    }

    /// A query in parentheses: a body of its own, or a table of its columns if it is ordered or cut.
    fn inner_query(&mut self, query: &sqlparser::ast::Query, wanted: &[Type]) -> Result<Body, SqlError> {
        let plain = query.with.is_none()
            && query.order_by.is_none()
            && query.limit_clause.is_none()
            && query.fetch.is_none();
        if plain {
            return self.body(&query.body, &[], wanted);
        }
        let rendered = self.query(query)?;
        let alias = self.made_name("query");
        Ok(Body::Select(Box::new(select_from(&rendered, &alias))))
    }

    /// Decides what is undecided, column by column, and writes it. `collate`: equal values are to be found.
    pub(crate) fn write_body(&mut self, mut body: Body, collate: bool) -> Result<Written, SqlError> {
        for column in 0..body.width() {
            self.settle_column(&mut body, column)?;
        }
        self.written(body, collate)
    }

    /// Gives a column the type that all its values agree on.
    fn settle_column(&mut self, body: &mut Body, column: usize) -> Result<(), SqlError> {
        let construct = match body {
            Body::Select(_) => {
                return body.change(column, &mut |value| self.settled(value));
            }
            Body::Values(_) => "VALUES",
            Body::Set(set) => set.operator,
        };
        let values = body.values_of(column);
        let ty = common_type(&values, construct)?;
        let column_type: ColumnType = common_modifier(&values, ty);
        body.change(column, &mut |value| {
            let mut value = self.matched(value, ty, construct)?;
            value.ty = column_type;
            Ok(value)
        })
    }

    fn written(&mut self, body: Body, collate: bool) -> Result<Written, SqlError> {
        match body {
            Body::Select(select) => Ok(super::select::write(*select, collate)),
            Body::Values(rows) => Ok(super::values::write(&rows)),
            Body::Set(set) => self.write_set(*set),
        }
    }
}

/// `SELECT` of all columns of a query that stands in FROM.
pub(crate) fn select_from(rendered: &super::Rendered, alias: &str) -> Select {
    let outputs = rendered.columns.iter().map(|column| {
        let sql = format!("{}.{}", quoted(alias), quoted(&column.sql_name));
        let mut value = Typed::plain(sql, column.ty, Form::Column(column.origin), 0);
        value.not_null = column.not_null;
        Output { name: column.name.clone(), value }
    });
    Select {
        outputs: outputs.collect(),
        distinct: false,
        tail: format!(" FROM ({}) AS {}", rendered.sql, quoted(alias)),
        order: String::new(),
        uses: rendered.uses.clone(),
        depth: rendered.depth + 1,
        one: rendered.at_most_one,
        on: None,
    }
}

/// The select list, and the columns that it gives.
pub(crate) fn list(outputs: &[Output], collate: bool) -> (String, Vec<Column>) {
    let names = unique_names(outputs.iter().map(|output| output.name.clone()));
    let (mut items, mut columns) = (Vec::new(), Vec::new());
    for (output, sql_name) in outputs.iter().zip(names) {
        let sql = if collate { crate::sql::expr::collated(&output.value) } else { output.value.sql.clone() };
        items.push(aliased(&sql, &sql_name));
        let origin = match &output.value.form {
            Form::Column(origin) => *origin,
            _ => None,
        };
        columns.push(Column {
            name: output.name.clone(),
            sql_name,
            ty: output.value.ty,
            not_null: output.value.not_null,
            origin,
        });
    }
    (items.join(", "), columns)
}
