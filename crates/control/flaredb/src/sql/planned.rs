//! From a parsed statement to a plan.

use crate::base::{Catalog, Settings, SqlError, Type};

use crate::sql::parse::Parsed;
use crate::sql::plan::{CopyIn, Hidden, Kind, OutputColumn, Plan};
use crate::sql::planner::{Parameters, Planner};
use crate::sql::tree::{Copy, CopySource, Statement};
use crate::sql::types;

/// Plans a statement for a catalogue, in a session's settings, with the types of parameters that are declared.
/// Errors as PostgreSQL's analysis gives them.
pub(crate) fn plan(
    parsed: &Parsed,
    catalog: &Catalog,
    settings: &Settings,
    declared: &[Option<Type>],
) -> Result<Plan, SqlError> {
    parsed.stack.run(|| {
        let parameters = Parameters::of(parsed.parameters(), declared);
        let mut planner = Planner::new(catalog, settings, &parsed.text, parameters);
        let (kind, columns) = kind(&mut planner, parsed, &parsed.statement, declared)?;
        finish(planner, kind, columns)
    })
}

fn finish(mut planner: Planner<'_>, kind: Kind, columns: Vec<OutputColumn>) -> Result<Plan, SqlError> {
    let accesses = planner.accesses();
    let touched = std::mem::take(&mut planner.touched);
    let hidden: Vec<Hidden> = planner.parameters.take_hidden();
    let version = planner.catalog.version;
    Ok(Plan {
        kind,
        parameters: planner.parameters.finished()?,
        hidden,
        columns,
        accesses,
        systems: touched.systems.into_iter().collect(),
        locks: touched.locks,
        sequences: touched.sequences,
        volatile: touched.volatile,
        catalog_version: version,
    })
}

fn kind(
    planner: &mut Planner<'_>,
    parsed: &Parsed,
    statement: &Statement,
    declared: &[Option<Type>],
) -> Result<(Kind, Vec<OutputColumn>), SqlError> {
    let none = |kind| Ok((kind, Vec::new()));
    match statement {
        Statement::Empty => none(Kind::Empty),
        Statement::Query(query) => {
            let rendered = planner.query(query)?;
            let columns = rendered.columns.into_iter().map(OutputColumn::from).collect();
            Ok((Kind::Query { sql: rendered.sql }, columns))
        }
        Statement::Insert(insert) => written(planner.insert(insert)?),
        Statement::Update(update) => written(planner.update(update)?),
        Statement::Delete(delete) => written(planner.delete(delete)?),
        Statement::Session(session) => none(Kind::Session(session.clone())),
        Statement::Explain(explain) => {
            let inner = parsed.with(explain.statement.clone());
            let (kind, columns) = kind(planner, &inner, &explain.statement, declared)?;
            let version = planner.catalog.version;
            let plan = Plan { kind, columns, ..Plan::empty(version) };
            let shown = OutputColumn { name: "QUERY PLAN".to_owned(), ty: Type::TEXT.into(), origin: None };
            Ok((Kind::Explain { options: explain.options.clone(), plan: Box::new(plan) }, vec![shown]))
        }
        Statement::Prepare(prepare) => {
            let types = prepare.types.iter().map(|ty| types::of(ty).map(|ty| Some(ty.ty)));
            let types = types.collect::<Result<Vec<_>, _>>()?;
            let statement = Box::new(parsed.with(prepare.statement.clone()));
            none(Kind::Prepare { name: prepare.name.clone(), types, statement })
        }
        Statement::Execute { name, arguments } => {
            none(Kind::Execute { name: name.clone(), arguments: arguments.len() })
        }
        Statement::Declare(declare) => {
            let inner = parsed.with(declare.query.clone());
            let (kind, columns) = kind(planner, &inner, &declare.query, declared)?;
            let version = planner.catalog.version;
            let query = Box::new(Plan { kind, columns, ..Plan::empty(version) });
            none(Kind::Declare { name: declare.name.clone(), options: declare.options, query })
        }
        Statement::Copy(copy) => copied(planner, parsed, copy, declared),
        Statement::Lock { relations, mode, nowait } => {
            let oids = relations.iter().map(|name| planner.table(name, "lock").map(|relation| relation.oid));
            let relations = oids.collect::<Result<Vec<_>, _>>()?;
            none(Kind::Lock { relations, mode: mode.clone(), nowait: *nowait })
        }
        Statement::Ddl(ddl) => match &**ddl {
            crate::sql::tree::Ddl::Database(database) => none(Kind::Database(database.clone())),
            ddl => none(Kind::Ddl(planner.define(ddl)?)),
        },
        Statement::Unsupported(what) => Err(SqlError::unsupported(what)),
    }
}

fn written(planned: crate::sql::write::Planned) -> Result<(Kind, Vec<OutputColumn>), SqlError> {
    Ok((Kind::Write(planned.write), planned.columns))
}

fn copied(
    planner: &mut Planner<'_>,
    parsed: &Parsed,
    copy: &Copy,
    declared: &[Option<Type>],
) -> Result<(Kind, Vec<OutputColumn>), SqlError> {
    if copy.filter.is_some() {
        return Err(SqlError::unsupported("COPY FROM … WHERE"));
    }
    match (&copy.source, copy.from) {
        (CopySource::Table(name, columns), true) => {
            let (table, columns, insert) = planner.copy_in(name, columns)?;
            let copy = CopyIn { table, options: copy.options.clone(), columns, insert };
            Ok((Kind::CopyIn(copy), Vec::new()))
        }
        (CopySource::Table(name, columns), false) => {
            let (sql, columns) = planner.copy_out(name, columns)?;
            Ok((Kind::CopyOut { sql, options: copy.options.clone() }, columns))
        }
        (CopySource::Query(query), false) => {
            let inner = parsed.with(query.clone());
            let (kind, columns) = kind(planner, &inner, query, declared)?;
            let Kind::Query { sql } = kind else {
                return Err(SqlError::unsupported("COPY of a statement that writes"));
            };
            Ok((Kind::CopyOut { sql, options: copy.options.clone() }, columns))
        }
        (CopySource::Query(_), true) => {
            Err(SqlError::new(crate::base::SqlState::SYNTAX_ERROR, "syntax error: COPY (query) FROM"))
        }
    }
}

/// The values of `EXECUTE name (…)` for parameters of these types: a query of one row.
pub(crate) fn plan_arguments(
    parsed: &Parsed,
    catalog: &Catalog,
    settings: &Settings,
    wanted: &[Type],
) -> Result<String, SqlError> {
    let Statement::Execute { name, arguments } = &parsed.statement else {
        return Err(SqlError::new(crate::base::SqlState::INTERNAL_ERROR, "no EXECUTE"));
    };
    if arguments.len() != wanted.len() {
        let message = format!("wrong number of parameters for prepared statement \"{name}\"");
        let detail = format!("Expected {} parameters but got {}.", wanted.len(), arguments.len());
        return Err(SqlError::new(crate::base::SqlState::SYNTAX_ERROR, message).with_detail(detail));
    }
    parsed.stack.run(|| {
        let mut planner = Planner::new(catalog, settings, &parsed.text, Parameters::none());
        let mut values = Vec::new();
        for (expr, ty) in arguments.iter().zip(wanted) {
            let level = crate::sql::scope::Level::of(crate::sql::scope::Clause::Execute);
            let value = planner.inside(level, |planner| planner.expr(expr))?;
            values.push(planner.assigned(value, (*ty).into(), name)?.sql);
        }
        Ok(format!("SELECT {}", values.join(", ")))
    })
}
