//! `ALTER`.

use crate::base::SqlError;
use sqlparser::tokenizer::Token;

use super::super::reader::Reader;
use super::super::roles;
use super::column::{collation, column, table_constraint};
use super::table::Added;
use super::{ddl, refused, sequence, storage, unsupported, written};
use crate::sql::tree::{
    AlterSequence, AlterTable, Change, Ddl, Kind, SchemaChange, SequenceOption, Statement,
};

/// After `ALTER`.
pub(crate) fn alter(reader: &mut Reader) -> Result<Statement, SqlError> {
    if let Some(kind) = refused(reader) {
        return unsupported(reader, format!("ALTER {kind}"));
    }
    if reader.accept(&["schema"]) {
        return schema(reader);
    }
    if reader.accept(&["database"]) {
        return roles::alter_database(reader);
    }
    if reader.accept_any(&["role", "user", "group"]).is_some() {
        return roles::alter(reader);
    }
    let kind = match reader.accept_any(&["table", "view", "index", "sequence"]) {
        Some("table") => Kind::Table,
        Some("view") => Kind::View,
        Some("index") => Kind::Index,
        Some(_) => Kind::Sequence,
        None => return Err(reader.unexpected()),
    };
    if reader.sees_all(&["all", "in", "tablespace"]) {
        return unsupported(reader, "a tablespace");
    }
    let if_exists = reader.accept(&["if", "exists"]);
    reader.accept(&["only"]);
    let name = reader.qualified()?;
    reader.accept_token(&Token::Mul);
    if kind == Kind::Sequence && !["rename", "owner", "set"].iter().any(|word| reader.sees(word)) {
        let options = sequence::options(reader)?;
        return ddl(Ddl::AlterSequence(AlterSequence { name, if_exists, options }));
    }
    let changes = reader.list(change)?;
    ddl(Ddl::AlterTable(AlterTable { kind, name, if_exists, changes }))
}

fn schema(reader: &mut Reader) -> Result<Statement, SqlError> {
    let name = reader.name()?;
    let change = if reader.accept(&["rename", "to"]) {
        SchemaChange::Rename(reader.name()?)
    } else {
        reader.expect(&["owner", "to"])?;
        SchemaChange::Owner(roles::role_name(reader)?)
    };
    ddl(Ddl::AlterSchema { name, change })
}

fn change(reader: &mut Reader) -> Result<Change, SqlError> {
    let words = ["add", "drop", "alter", "rename", "owner", "set", "reset", "validate", "cluster", "replica"];
    match reader.accept_any(&words) {
        Some("add") => add(reader),
        Some("drop") => drop(reader),
        Some("alter") => {
            reader.accept(&["column"]);
            let column = reader.name()?;
            alter_column(reader, column)
        }
        Some("rename") => rename(reader),
        Some("owner") => {
            reader.expect(&["to"])?;
            Ok(Change::Owner(roles::role_name(reader)?))
        }
        Some("set") => set(reader),
        Some("validate") => {
            reader.expect(&["constraint"])?;
            Ok(Change::ValidateConstraint(reader.name()?))
        }
        Some("cluster") => {
            reader.expect(&["on"])?;
            reader.name()?;
            Ok(Change::Nothing)
        }
        Some("replica") => {
            reader.expect(&["identity"])?;
            if reader.accept(&["using", "index"]) {
                reader.name()?;
            } else {
                reader.any_name()?;
            }
            Ok(Change::Nothing)
        }
        Some(_) => {
            storage(reader)?;
            Ok(Change::Nothing)
        }
        None => Err(refused_change(reader)),
    }
}

fn refused_change(reader: &Reader) -> SqlError {
    for (word, name) in [
        ("enable", "ENABLE TRIGGER, RULE or ROW LEVEL SECURITY"),
        ("disable", "DISABLE TRIGGER, RULE or ROW LEVEL SECURITY"),
        ("force", "ROW LEVEL SECURITY"),
        ("inherit", "INHERIT"),
        ("no", "NO INHERIT"),
        ("attach", "ATTACH PARTITION"),
        ("detach", "DETACH PARTITION"),
        ("of", "a typed table"),
    ] {
        if reader.sees(word) {
            return SqlError::unsupported(format!("ALTER TABLE … {name}"));
        }
    }
    reader.unexpected()
}

fn add(reader: &mut Reader) -> Result<Change, SqlError> {
    if !reader.sees("column")
        && let Some(constraint) = table_constraint(reader)?
    {
        // Rows are proved before a constraint is added: NOT VALID could promise less, not more.
        reader.accept(&["not", "valid"]);
        return Ok(Change::AddConstraint(constraint));
    }
    reader.accept(&["column"]);
    let if_not_exists = reader.accept(&["if", "not", "exists"]);
    match Added::Column(column(reader)?) {
        Added::Column(column) => Ok(Change::AddColumn { if_not_exists, column }),
        Added::Constraint(constraint) => Ok(Change::AddConstraint(constraint)),
    }
}

fn drop(reader: &mut Reader) -> Result<Change, SqlError> {
    let constraint = reader.accept(&["constraint"]);
    if !constraint {
        reader.accept(&["column"]);
    }
    let if_exists = reader.accept(&["if", "exists"]);
    let name = reader.name()?;
    let cascade = reader.accept_any(&["cascade", "restrict"]) == Some("cascade");
    Ok(if constraint {
        Change::DropConstraint { if_exists, name, cascade }
    } else {
        Change::DropColumn { if_exists, name, cascade }
    })
}

fn alter_column(reader: &mut Reader, column: String) -> Result<Change, SqlError> {
    if reader.accept(&["set", "default"]) {
        return Ok(Change::SetDefault { column, default: Some(written(reader)?) });
    }
    if reader.accept(&["drop", "default"]) {
        return Ok(Change::SetDefault { column, default: None });
    }
    if reader.accept(&["set", "not", "null"]) {
        return Ok(Change::SetNotNull { column, not_null: true });
    }
    if reader.accept(&["drop", "not", "null"]) {
        return Ok(Change::SetNotNull { column, not_null: false });
    }
    if reader.accept(&["set", "data", "type"]) || reader.accept(&["type"]) {
        let ty = reader.data_type()?;
        if reader.accept(&["collate"]) {
            collation(reader)?;
        }
        let using = if reader.accept(&["using"]) { Some(written(reader)?) } else { None };
        return Ok(Change::SetType { column, ty, using });
    }
    if reader.accept(&["drop", "identity"]) {
        return Ok(Change::DropIdentity { column, if_exists: reader.accept(&["if", "exists"]) });
    }
    if reader.accept(&["drop", "expression"]) {
        return Ok(Change::DropExpression { column, if_exists: reader.accept(&["if", "exists"]) });
    }
    if reader.accept(&["add", "generated"]) {
        let always = reader.accept(&["always"]);
        if !always {
            reader.expect(&["by", "default"])?;
        }
        reader.expect(&["as", "identity"])?;
        return Ok(Change::AddIdentity { column, always, options: sequence::parenthesized(reader)? });
    }
    if reader.sees("restart") || reader.sees_all(&["set", "generated"]) || reader.sees("set") {
        return alter_identity(reader, column);
    }
    if reader.accept(&["reset"]) {
        storage(reader)?;
        return Ok(Change::Nothing);
    }
    Err(reader.unexpected())
}

/// `SET GENERATED …`, `SET INCREMENT 2`, `RESTART`; or `SET STATISTICS` and `SET STORAGE`, which mean nothing here.
fn alter_identity(reader: &mut Reader, column: String) -> Result<Change, SqlError> {
    let (mut always, mut options) = (None, Vec::<SequenceOption>::new());
    loop {
        if reader.accept(&["set", "generated"]) {
            always = Some(reader.accept(&["always"]));
            if always == Some(false) {
                reader.expect(&["by", "default"])?;
            }
        } else if reader.accept(&["set", "statistics"]) {
            reader.integer()?;
            return Ok(Change::Nothing);
        } else if reader.accept(&["set", "storage"]) || reader.accept(&["set", "compression"]) {
            reader.any_name()?;
            return Ok(Change::Nothing);
        } else if reader.sees("set") && *reader.peek_nth(1) == Token::LParen {
            reader.take();
            storage(reader)?;
            return Ok(Change::Nothing);
        } else if reader.accept(&["set"]) || reader.sees("restart") {
            match sequence::option(reader)? {
                Some(option) => options.push(option),
                None => return Err(reader.unexpected()),
            }
        } else {
            return Ok(Change::SetIdentity { column, always, options });
        }
    }
}

fn rename(reader: &mut Reader) -> Result<Change, SqlError> {
    if reader.accept(&["to"]) {
        return Ok(Change::Rename(reader.name()?));
    }
    let constraint = reader.accept(&["constraint"]);
    if !constraint {
        reader.accept(&["column"]);
    }
    let from = reader.name()?;
    reader.expect(&["to"])?;
    let to = reader.name()?;
    Ok(if constraint { Change::RenameConstraint { from, to } } else { Change::RenameColumn { from, to } })
}

fn set(reader: &mut Reader) -> Result<Change, SqlError> {
    if reader.accept(&["schema"]) {
        return Ok(Change::SetSchema(reader.name()?));
    }
    if reader.peek().token == Token::LParen {
        storage(reader)?;
        return Ok(Change::Nothing);
    }
    if reader.accept_any(&["logged", "unlogged"]).is_some() || reader.accept(&["without", "cluster"]) {
        return Ok(Change::Nothing);
    }
    if reader.accept(&["without", "oids"]) {
        return Ok(Change::Nothing);
    }
    if reader.accept_any(&["tablespace", "access"]).is_some() {
        return Err(SqlError::unsupported("a tablespace or an access method"));
    }
    Err(reader.unexpected())
}
