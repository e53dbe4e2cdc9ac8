//! Definitions as PostgreSQL prints them.
//!
//! `pretty` leaves out parentheses and schemas that are not needed, as the second form of PostgreSQL's functions
//! does.

use crate::base::catalog::{Action, Column, IndexKey, SequenceOptions};
use crate::base::{Catalog, ColumnType, Constraint, ConstraintKind, Relation, RelationKind, Settings, Type};
use crate::functions::text::quote::quoted_name;

use super::{format_type, names, place};

/// `pg_get_constraintdef`.
pub(crate) fn constraint_definition(
    catalog: &Catalog,
    settings: &Settings,
    table: &Relation,
    constraint: &Constraint,
    pretty: bool,
) -> String {
    let own = columns(table, &constraint.columns);
    match &constraint.kind {
        ConstraintKind::PrimaryKey { .. } => format!("PRIMARY KEY ({own})"),
        ConstraintKind::Unique { .. } => format!("UNIQUE ({own})"),
        ConstraintKind::Check { expression } => format!("CHECK ({})", condition(expression, pretty)),
        ConstraintKind::ForeignKey { table, columns: to, on_delete, on_update, deferred } => {
            let of = match catalog.relations.get(table) {
                Some(of) => columns(of, to),
                None => String::new(),
            };
            let to = names::regclass_name(catalog, settings, *table);
            let update = action("UPDATE", *on_update);
            let delete = action("DELETE", *on_delete);
            let deferred = if *deferred { " DEFERRABLE INITIALLY DEFERRED" } else { "" };
            format!("FOREIGN KEY ({own}) REFERENCES {to}({of}){update}{delete}{deferred}")
        }
    }
}

/// ` ON DELETE CASCADE`; nothing for what happens anyway.
fn action(of: &str, action: Action) -> String {
    let word = match action {
        Action::NoAction => return String::new(),
        Action::Restrict => "RESTRICT",
        Action::Cascade => "CASCADE",
        Action::SetNull => "SET NULL",
        Action::SetDefault => "SET DEFAULT",
    };
    format!(" ON {of} {word}")
}

/// `id, "Name"`.
fn columns(table: &Relation, numbers: &[i16]) -> String {
    let names = numbers.iter().filter_map(|number| place::column_name(table, *number));
    names.map(quoted_name).collect::<Vec<_>>().join(", ")
}

/// `pg_get_indexdef` of one argument, or with column 0. Nothing for what is no index.
pub(crate) fn index_definition(
    catalog: &Catalog,
    settings: &Settings,
    index: &Relation,
    pretty: bool,
) -> Option<String> {
    let RelationKind::Index { table, unique, keys, predicate, .. } = &index.kind else { return None };
    let table = catalog.relations.get(table)?;
    let on = if pretty {
        names::regclass_name(catalog, settings, table.oid)
    } else {
        names::qualified(&table.schema, &table.name)
    };
    let keys: Vec<String> = keys.iter().map(|key| ordered_key(table, key, pretty)).collect();
    let unique = if *unique { "UNIQUE " } else { "" };
    let name = quoted_name(&index.name);
    let mut sql = format!("CREATE {unique}INDEX {name} ON {on} USING btree ({})", keys.join(", "));
    if let Some(predicate) = predicate {
        sql.push_str(" WHERE ");
        sql.push_str(&condition(predicate, pretty));
    }
    Some(sql)
}

/// A part of an index as `pg_get_indexdef` gives it by number: without its order.
pub(crate) fn key_definition(table: &Relation, key: &IndexKey, pretty: bool) -> String {
    match &key.expression {
        None => place::column_name(table, key.column).map(quoted_name).unwrap_or_default(),
        Some(expression) => {
            let bare = bare(expression);
            match is_call(bare) {
                true => bare.to_owned(),
                false => format!("({})", condition(bare, pretty)),
            }
        }
    }
}

fn ordered_key(table: &Relation, key: &IndexKey, pretty: bool) -> String {
    let order = match (key.descending, key.nulls_first) {
        (false, false) => "",
        (false, true) => " NULLS FIRST",
        (true, true) => " DESC",
        (true, false) => " DESC NULLS LAST",
    };
    format!("{}{order}", key_definition(table, key, pretty))
}

/// `pg_get_viewdef`.
pub(crate) fn view_definition(definition: &str) -> String {
    let definition = definition.trim().trim_end_matches(';').trim_end();
    format!(" {definition};")
}

/// What stands behind CREATE SEQUENCE: everything, also what is so by default, as a dump writes it.
pub(crate) fn sequence_definition(options: &SequenceOptions) -> String {
    let (least, most) = bounds(options.ty.ty, options.increment < 0);
    let mut sql = String::new();
    if options.ty.ty != Type::INT8 {
        sql.push_str(&format!(" AS {}", format_type::plain(options.ty.ty)));
    }
    sql.push_str(&format!(" START WITH {} INCREMENT BY {}", options.start, options.increment));
    match options.min {
        min if min == least => sql.push_str(" NO MINVALUE"),
        min => sql.push_str(&format!(" MINVALUE {min}")),
    }
    match options.max {
        max if max == most => sql.push_str(" NO MAXVALUE"),
        max => sql.push_str(&format!(" MAXVALUE {max}")),
    }
    sql.push_str(" CACHE 1");
    if options.cycle {
        sql.push_str(" CYCLE");
    }
    sql.trim_start().to_owned()
}

/// The bounds that a sequence has unless others are given.
fn bounds(ty: Type, down: bool) -> (i64, i64) {
    let (least, most) = match ty {
        Type::INT2 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        Type::INT4 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    if down { (least, -1) } else { (1, most) }
}

/// What `pg_get_expr` gives of a column's default or of what generates it; none if there is neither.
pub(crate) fn default_definition(column: &Column, pretty: bool) -> Option<String> {
    if let Some(generated) = &column.generated {
        return Some(condition(&generated.written, pretty));
    }
    let written = bare(&column.default.as_ref()?.written);
    if let Some(ty) = negative_type(written) {
        return Some(format!("'{written}'::{ty}"));
    }
    Some(match constant_type(written, column.ty.ty) {
        Some(ty) => format!("{written}::{ty}"),
        None => match sequence_argument(written) {
            Some(name) => format!("nextval({name}::regclass)"),
            None => condition(written, pretty),
        },
    })
}

/// The type that PostgreSQL shows behind a default that is a string constant.
fn constant_type(written: &str, ty: Type) -> Option<String> {
    let inside = written.strip_prefix('\'')?.strip_suffix('\'')?;
    let whole = !inside.replace("''", "").contains('\'');
    whole.then(|| match ty {
        Type::BPCHAR => "bpchar".to_owned(),
        ty => format_type::format_type(ColumnType { ty, typmod: -1 }),
    })
}

/// The type that PostgreSQL shows behind a default that is a number below zero.
fn negative_type(written: &str) -> Option<&'static str> {
    let digits = written.strip_prefix('-')?;
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return None;
    }
    Some(match (written.parse::<i32>(), written.parse::<i64>()) {
        (Ok(_), _) => "integer",
        (Err(_), Ok(_)) => "bigint",
        (Err(_), Err(_)) => "numeric",
    })
}

/// `'s'` of `nextval('s')`.
fn sequence_argument(written: &str) -> Option<&str> {
    const CALL: &str = "nextval(";
    let head = written.get(..CALL.len())?;
    let name = head.eq_ignore_ascii_case(CALL).then(|| &written[CALL.len()..])?.strip_suffix(')')?;
    let inside = name.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    (!inside.contains('\'')).then(|| name.trim())
}

/// An expression as PostgreSQL shows it: in parentheses if it is made by an operator, and not pretty.
pub(crate) fn condition(expression: &str, pretty: bool) -> String {
    let expression = bare(expression);
    if pretty || is_call(expression) || is_simple(expression) {
        expression.to_owned()
    } else {
        format!("({expression})")
    }
}

/// Without parentheses around all of it.
fn bare(expression: &str) -> &str {
    let mut bare = expression.trim();
    while let Some(inside) = bare.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'))
        && closing(bare) == Some(bare.len() - 1)
    {
        bare = inside.trim();
    }
    bare
}

/// Where the parenthesis that is opened first is closed.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether it is one call of a function.
fn is_call(expression: &str) -> bool {
    let Some(open) = expression.find('(') else { return false };
    let name = &expression[..open];
    !name.is_empty() && name.chars().all(is_word) && closing(expression) == Some(expression.len() - 1)
}

/// Whether it is one word, number or string.
fn is_simple(expression: &str) -> bool {
    let string = expression.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    match string {
        Some(inside) => !inside.replace("''", "").contains('\''),
        None => expression.chars().all(|c| is_word(c) || c == '-'),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '"' | '$')
}
