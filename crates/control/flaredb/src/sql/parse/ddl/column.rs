//! Columns and constraints of `CREATE TABLE` and `ALTER TABLE`.

use crate::base::SqlError;
use crate::base::catalog::Action;
use sqlparser::tokenizer::Token;

use super::super::reader::Reader;
use super::{parenthesized, sequence, storage};
use crate::sql::tree::{ColumnDef, ColumnRule, ConstraintDef, Reference, Rule, Written};

/// `name type rule…`.
pub(crate) fn column(reader: &mut Reader) -> Result<ColumnDef, SqlError> {
    let at = reader.position();
    let name = reader.name()?;
    let ty = reader.data_type()?;
    let mut rules = Vec::new();
    while let Some(rule) = rule(reader)? {
        rules.extend(rule);
    }
    Ok(ColumnDef { name, at, ty, rules })
}

/// One rule; none: something else follows. Some say nothing that concerns us.
fn rule(reader: &mut Reader) -> Result<Option<Option<ColumnRule>>, SqlError> {
    let name = if reader.accept(&["constraint"]) { Some(reader.name()?) } else { None };
    let at = reader.position();
    if reader.accept(&["not", "null"]) {
        return Ok(Some(Some(ColumnRule::NotNull)));
    }
    if reader.accept(&["null"]) {
        return Ok(Some(Some(ColumnRule::Null)));
    }
    if reader.accept(&["default"]) {
        return Ok(Some(Some(ColumnRule::Default(default(reader)?))));
    }
    if reader.accept(&["generated"]) {
        return Ok(Some(Some(generated(reader)?)));
    }
    if reader.accept(&["collate"]) {
        collation(reader)?;
        return Ok(Some(None));
    }
    if reader.accept_any(&["storage", "compression"]).is_some() {
        reader.any_name()?;
        return Ok(Some(None));
    }
    let rule = if reader.accept(&["primary", "key"]) {
        index_parameters(reader)?;
        Rule::PrimaryKey(Vec::new())
    } else if reader.accept(&["unique"]) {
        nulls_distinct(reader)?;
        index_parameters(reader)?;
        Rule::Unique(Vec::new())
    } else if reader.accept(&["check"]) {
        let check = parenthesized(reader)?;
        reader.accept(&["no", "inherit"]);
        Rule::Check(check)
    } else if reader.accept(&["references"]) {
        Rule::ForeignKey { columns: Vec::new(), reference: reference(reader)? }
    } else if name.is_some() {
        return Err(reader.unexpected());
    } else {
        return Ok(None);
    };
    let rule = deferrable(reader, rule)?;
    Ok(Some(Some(ColumnRule::Constraint(ConstraintDef { name, rule, at }))))
}

fn default(reader: &mut Reader) -> Result<Written, SqlError> {
    let from = reader.byte();
    let expr = reader.b_expr()?;
    Ok(Written { expr, text: reader.text_from(from).to_owned() })
}

/// Texts compare by their bytes, which is what these say.
pub(crate) fn collation(reader: &mut Reader) -> Result<(), SqlError> {
    let name = reader.qualified()?;
    crate::sql::types::check_collation(&name)
}

fn generated(reader: &mut Reader) -> Result<ColumnRule, SqlError> {
    let always = if reader.accept(&["always"]) {
        true
    } else {
        reader.expect(&["by", "default"])?;
        false
    };
    reader.expect(&["as"])?;
    if reader.accept(&["identity"]) {
        return Ok(ColumnRule::Identity { always, options: sequence::parenthesized(reader)? });
    }
    if !always {
        return Err(reader.unexpected());
    }
    let expression = parenthesized(reader)?;
    reader.expect(&["stored"])?;
    Ok(ColumnRule::Generated(expression))
}

/// `[CONSTRAINT name] rule` of a table; none: a column follows.
pub(crate) fn table_constraint(reader: &mut Reader) -> Result<Option<ConstraintDef>, SqlError> {
    let name = if reader.accept(&["constraint"]) { Some(reader.name()?) } else { None };
    let at = reader.position();
    let rule = if reader.accept(&["primary", "key"]) {
        using_index(reader)?;
        let columns = reader.in_parentheses(Reader::name)?;
        index_parameters(reader)?;
        Rule::PrimaryKey(columns)
    } else if reader.accept(&["unique"]) {
        using_index(reader)?;
        nulls_distinct(reader)?;
        let columns = reader.in_parentheses(Reader::name)?;
        index_parameters(reader)?;
        Rule::Unique(columns)
    } else if reader.accept(&["check"]) {
        let check = parenthesized(reader)?;
        reader.accept(&["no", "inherit"]);
        Rule::Check(check)
    } else if reader.accept(&["foreign", "key"]) {
        let columns = reader.in_parentheses(Reader::name)?;
        reader.expect(&["references"])?;
        Rule::ForeignKey { columns, reference: reference(reader)? }
    } else if reader.sees("exclude") {
        return Err(SqlError::unsupported("an EXCLUDE constraint"));
    } else if name.is_some() {
        return Err(reader.unexpected());
    } else {
        return Ok(None);
    };
    let rule = deferrable(reader, rule)?;
    Ok(Some(ConstraintDef { name, rule, at }))
}

fn using_index(reader: &Reader) -> Result<(), SqlError> {
    if reader.sees("using") { Err(SqlError::unsupported("a constraint USING INDEX")) } else { Ok(()) }
}

fn nulls_distinct(reader: &mut Reader) -> Result<(), SqlError> {
    if reader.sees_all(&["nulls", "not", "distinct"]) {
        return Err(SqlError::unsupported("NULLS NOT DISTINCT"));
    }
    reader.accept(&["nulls", "distinct"]);
    Ok(())
}

/// `INCLUDE (…) WITH (…) USING INDEX TABLESPACE x`: of SQLite's concern.
fn index_parameters(reader: &mut Reader) -> Result<(), SqlError> {
    if reader.accept(&["include"]) {
        reader.in_parentheses(Reader::name)?;
    }
    if reader.accept(&["with"]) {
        storage(reader)?;
    }
    if reader.accept(&["using", "index", "tablespace"]) {
        reader.name()?;
    }
    Ok(())
}

/// After `REFERENCES`.
fn reference(reader: &mut Reader) -> Result<Reference, SqlError> {
    let table = reader.qualified()?;
    let columns =
        if reader.peek().token == Token::LParen { reader.in_parentheses(Reader::name)? } else { Vec::new() };
    if reader.accept(&["match"]) {
        match reader.accept_any(&["simple", "full", "partial"]) {
            Some("simple") => {}
            Some("full") if columns.len() <= 1 => {}
            Some(kind) => return Err(SqlError::unsupported(format!("MATCH {}", kind.to_uppercase()))),
            None => return Err(reader.unexpected()),
        }
    }
    let (mut on_delete, mut on_update) = (Action::NoAction, Action::NoAction);
    while reader.accept(&["on"]) {
        match reader.accept_any(&["delete", "update"]) {
            Some("delete") => on_delete = action(reader)?,
            Some(_) => on_update = action(reader)?,
            None => return Err(reader.unexpected()),
        }
    }
    Ok(Reference { table, columns, on_delete, on_update, deferred: false })
}

fn action(reader: &mut Reader) -> Result<Action, SqlError> {
    let actions: [(&[&str], Action); 5] = [
        (&["no", "action"], Action::NoAction),
        (&["restrict"], Action::Restrict),
        (&["cascade"], Action::Cascade),
        (&["set", "null"], Action::SetNull),
        (&["set", "default"], Action::SetDefault),
    ];
    let found = actions.into_iter().find(|(words, _)| reader.accept(words));
    let Some((_, action)) = found else { return Err(reader.unexpected()) };
    if reader.peek().token == Token::LParen {
        return Err(SqlError::unsupported("ON DELETE with columns"));
    }
    Ok(action)
}

/// When a constraint is looked at. Foreign keys may wait for the commit; others never do here.
fn deferrable(reader: &mut Reader, mut rule: Rule) -> Result<Rule, SqlError> {
    let (mut deferrable, mut deferred) = (false, false);
    loop {
        if reader.accept(&["not", "deferrable"]) {
            deferrable = false;
        } else if reader.accept(&["deferrable"]) {
            deferrable = true;
        } else if reader.accept(&["initially", "deferred"]) {
            (deferrable, deferred) = (true, true);
        } else if !reader.accept(&["initially", "immediate"]) {
            break;
        }
    }
    match &mut rule {
        Rule::ForeignKey { reference, .. } => reference.deferred = deferred,
        _ if deferrable => {
            return Err(SqlError::unsupported("a deferrable constraint other than a foreign key"));
        }
        _ => {}
    }
    Ok(rule)
}
