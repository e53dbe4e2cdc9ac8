//! `CREATE`.

use crate::base::SqlError;
use sqlparser::tokenizer::Token;

use super::super::reader::Reader;
use super::super::roles;
use super::{ddl, parenthesized, refused, sequence, storage, table, unsupported, written};
use crate::sql::tree::{
    CreateIndex, CreateSequence, CreateView, Ddl, IndexPart, Statement, Written, WrittenQuery,
};

/// After `CREATE`.
pub(crate) fn create(reader: &mut Reader) -> Result<Statement, SqlError> {
    let or_replace = reader.accept(&["or", "replace"]);
    reader.accept_any(&["global", "local"]);
    let temporary = reader.accept_any(&["temporary", "temp"]).is_some();
    if temporary {
        return unsupported(reader, "a temporary object");
    }
    if reader.accept(&["unlogged"]) && !reader.sees("table") {
        return Err(reader.unexpected());
    }
    if let Some(kind) = refused(reader) {
        return unsupported(reader, format!("CREATE {kind}"));
    }
    if or_replace && !reader.sees("view") && !reader.sees_all(&["recursive", "view"]) {
        return Err(reader.unexpected());
    }
    if reader.accept(&["table"]) {
        return table::create(reader);
    }
    if reader.sees("index") || reader.sees_all(&["unique", "index"]) {
        return index(reader);
    }
    if reader.accept(&["recursive", "view"]) {
        return unsupported(reader, "CREATE RECURSIVE VIEW");
    }
    if reader.accept(&["view"]) {
        return view(reader, or_replace);
    }
    if reader.accept(&["sequence"]) {
        let if_not_exists = reader.accept(&["if", "not", "exists"]);
        let name = reader.qualified()?;
        let options = sequence::options(reader)?;
        return ddl(Ddl::CreateSequence(CreateSequence { name, if_not_exists, options }));
    }
    if reader.accept(&["schema"]) {
        return schema(reader);
    }
    if let Some(kind) = reader.accept_any(&["role", "user", "group"]) {
        return roles::create(reader, kind == "user");
    }
    if reader.accept(&["database"]) {
        return roles::create_database(reader);
    }
    Err(reader.unexpected())
}

fn schema(reader: &mut Reader) -> Result<Statement, SqlError> {
    let if_not_exists = reader.accept(&["if", "not", "exists"]);
    if reader.accept(&["authorization"]) {
        let owner = roles::role_name(reader)?;
        return ddl(Ddl::CreateSchema { name: owner.clone(), if_not_exists, owner: Some(owner) });
    }
    let name = reader.name()?;
    let owner = if reader.accept(&["authorization"]) { Some(roles::role_name(reader)?) } else { None };
    if !reader.at_end() {
        return unsupported(reader, "CREATE SCHEMA with objects in it");
    }
    ddl(Ddl::CreateSchema { name, if_not_exists, owner })
}

fn view(reader: &mut Reader, or_replace: bool) -> Result<Statement, SqlError> {
    let name = reader.qualified()?;
    let columns =
        if reader.peek().token == Token::LParen { reader.in_parentheses(Reader::name)? } else { Vec::new() };
    if reader.accept(&["with"]) {
        storage(reader)?;
    }
    reader.expect(&["as"])?;
    let from = reader.byte();
    let query = reader.query()?;
    let text = reader.text_from(from).to_owned();
    if reader.sees("with") {
        return unsupported(reader, "a view WITH CHECK OPTION");
    }
    let query = WrittenQuery { query, text, from };
    ddl(Ddl::CreateView(CreateView { name, or_replace, columns, query }))
}

fn index(reader: &mut Reader) -> Result<Statement, SqlError> {
    let unique = reader.accept(&["unique"]);
    reader.expect(&["index"])?;
    reader.accept(&["concurrently"]);
    let if_not_exists = reader.accept(&["if", "not", "exists"]);
    let name = if reader.sees("on") { None } else { Some(reader.name()?) };
    reader.expect(&["on"])?;
    reader.accept(&["only"]);
    let table = reader.qualified()?;
    method(reader)?;
    let keys = reader.in_parentheses(index_part)?;
    if reader.accept(&["include"]) {
        // Columns that an index only carries along make it faster and nothing else.
        reader.in_parentheses(Reader::name)?;
    }
    if reader.sees("nulls") {
        reader.accept(&["nulls"]);
        if reader.sees("not") {
            return unsupported(reader, "NULLS NOT DISTINCT");
        }
        reader.expect(&["distinct"])?;
    }
    if reader.accept(&["with"]) {
        storage(reader)?;
    }
    if reader.accept(&["tablespace"]) {
        reader.name()?;
    }
    let predicate = if reader.accept(&["where"]) { Some(written(reader)?) } else { None };
    ddl(Ddl::CreateIndex(CreateIndex { name, table, unique, if_not_exists, keys, predicate }))
}

fn method(reader: &mut Reader) -> Result<(), SqlError> {
    if !reader.accept(&["using"]) {
        return Ok(());
    }
    let method = reader.name()?;
    if matches!(method.as_str(), "btree" | "hash") {
        return Ok(());
    }
    Err(SqlError::unsupported(format!("an index by the access method \"{method}\""))
        .with_hint("Use btree; an index on an expression may serve instead."))
}

fn index_part(reader: &mut Reader) -> Result<IndexPart, SqlError> {
    let key = if reader.peek().token == Token::LParen {
        parenthesized(reader)?
    } else {
        let from = reader.byte();
        let expr = reader.through(|parser| parser.parse_prefix())?;
        Written { expr, text: reader.text_from(from).to_owned() }
    };
    if reader.accept(&["collate"]) {
        reader.qualified()?;
    }
    let more = [Token::Comma, Token::RParen];
    let ordered = ["asc", "desc", "nulls"].iter().any(|word| reader.sees(word));
    if !more.contains(&reader.peek().token) && !ordered {
        operator_class(reader)?;
    }
    let descending = reader.accept_any(&["asc", "desc"]) == Some("desc");
    let nulls_first = match reader.accept(&["nulls"]) {
        true => match reader.accept_any(&["first", "last"]) {
            Some(which) => which == "first",
            None => return Err(reader.unexpected()),
        },
        false => descending,
    };
    Ok(IndexPart { key, descending, nulls_first })
}

/// Operator classes say what an index is good for; those of a plain index change nothing here.
fn operator_class(reader: &mut Reader) -> Result<(), SqlError> {
    let class = reader.qualified()?;
    let plain = class.name.ends_with("_pattern_ops")
        || ["text_ops", "varchar_ops", "bpchar_ops", "int4_ops", "int8_ops", "int2_ops", "date_ops"]
            .contains(&class.name.as_str());
    if plain { Ok(()) } else { Err(SqlError::unsupported(format!("the operator class \"{}\"", class.name))) }
}
