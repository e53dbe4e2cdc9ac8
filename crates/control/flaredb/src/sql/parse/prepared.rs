//! Statements that hold another: `EXPLAIN`, `PREPARE`, `DECLARE`; and `EXECUTE` and `LOCK`.

use crate::base::{SqlError, SqlState};
use sqlparser::tokenizer::Token;

use super::reader::Reader;
use crate::sql::tree::{CursorOptions, Declare, Explain, ExplainFormat, ExplainOptions, Prepare, Statement};

/// After `EXPLAIN`.
pub(crate) fn explain(reader: &mut Reader) -> Result<Statement, SqlError> {
    let mut options = ExplainOptions::default();
    if reader.peek().token == Token::LParen && !parenthesized_query(reader) {
        for (name, value) in reader.in_parentheses(option)? {
            apply(&mut options, name, value)?;
        }
    } else {
        options.analyze = reader.accept_any(&["analyze", "analyse"]).is_some();
        options.verbose = reader.accept(&["verbose"]);
    }
    let statement = explained(reader)?;
    Ok(Statement::Explain(Box::new(Explain { options, statement })))
}

/// `EXPLAIN (SELECT …)`.
fn parenthesized_query(reader: &Reader) -> bool {
    let query = ["select", "values", "with", "table"];
    match reader.peek_nth(1) {
        Token::LParen => true,
        Token::Word(word) => query.iter().any(|start| word.value.eq_ignore_ascii_case(start)),
        _ => false,
    }
}

fn explained(reader: &mut Reader) -> Result<Statement, SqlError> {
    let may =
        ["select", "values", "table", "with", "insert", "update", "delete", "merge", "execute", "declare"];
    if reader.peek().token != Token::LParen
        && !may.iter().any(|word| reader.sees(word))
        && !reader.sees_all(&["create", "table"])
    {
        return Err(reader.unexpected());
    }
    super::statement(reader)
}

fn option(reader: &mut Reader) -> Result<(String, Option<String>), SqlError> {
    let name = reader.any_name()?;
    let value = match &reader.peek().token {
        Token::Comma | Token::RParen => None,
        Token::Number(digits, _) => Some(digits.clone()),
        Token::Word(word) => Some(word.value.to_ascii_lowercase()),
        _ => return Err(reader.unexpected()),
    };
    if value.is_some() {
        reader.take();
    }
    Ok((name, value))
}

fn apply(options: &mut ExplainOptions, name: String, value: Option<String>) -> Result<(), SqlError> {
    if name == "format" {
        options.format = match value.as_deref() {
            Some("text") => ExplainFormat::Text,
            Some("json") => ExplainFormat::Json,
            other => {
                let message = format!("EXPLAIN in the format {}", other.unwrap_or_default());
                return Err(SqlError::unsupported(message).with_hint("Use the format text or json."));
            }
        };
        return Ok(());
    }
    let on = match value.as_deref() {
        None | Some("true" | "on" | "1") => true,
        Some("false" | "off" | "0") => false,
        Some(_) => {
            let message = format!("{name} requires a Boolean value");
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
        }
    };
    match name.as_str() {
        "analyze" => options.analyze = on,
        "verbose" => options.verbose = on,
        "raft" => options.raft = on,
        "costs" | "settings" | "buffers" | "wal" | "timing" | "summary" => options.others.push((name, on)),
        _ => {
            let message = format!("unrecognized EXPLAIN option \"{name}\"");
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
        }
    }
    Ok(())
}

/// After `PREPARE`.
pub(crate) fn prepare(reader: &mut Reader) -> Result<Statement, SqlError> {
    if reader.sees("transaction") && matches!(reader.peek_nth(1), Token::SingleQuotedString(_)) {
        return Err(super::transaction::prepared());
    }
    let name = reader.name()?;
    let types = if reader.peek().token == Token::LParen {
        reader.in_parentheses(Reader::data_type)?
    } else {
        Vec::new()
    };
    reader.expect(&["as"])?;
    let may = ["select", "values", "table", "with", "insert", "update", "delete", "merge"];
    if reader.peek().token != Token::LParen && !may.iter().any(|word| reader.sees(word)) {
        return Err(reader.unexpected());
    }
    let statement = super::statement(reader)?;
    Ok(Statement::Prepare(Box::new(Prepare { name, types, statement })))
}

/// After `EXECUTE`.
pub(crate) fn execute(reader: &mut Reader) -> Result<Statement, SqlError> {
    let name = reader.name()?;
    let arguments =
        if reader.peek().token == Token::LParen { reader.in_parentheses(Reader::expr)? } else { Vec::new() };
    Ok(Statement::Execute { name, arguments })
}

/// After `DECLARE`.
pub(crate) fn declare(reader: &mut Reader) -> Result<Statement, SqlError> {
    let name = reader.name()?;
    let mut options = CursorOptions::default();
    loop {
        if reader.accept(&["binary"]) {
            options.binary = true;
        } else if reader.accept(&["no", "scroll"]) {
            options.scroll = Some(false);
        } else if reader.accept(&["scroll"]) {
            options.scroll = Some(true);
        } else if reader.accept_any(&["insensitive", "asensitive"]).is_none() {
            break;
        }
    }
    reader.expect(&["cursor"])?;
    if reader.accept(&["with", "hold"]) {
        options.hold = true;
    } else {
        reader.accept(&["without", "hold"]);
    }
    reader.expect(&["for"])?;
    let query = Statement::Query(reader.query()?);
    Ok(Statement::Declare(Box::new(Declare { name, options, query })))
}

/// After `LOCK`.
pub(crate) fn lock(reader: &mut Reader) -> Result<Statement, SqlError> {
    reader.accept(&["table"]);
    let relations = reader.list(|reader| {
        reader.accept(&["only"]);
        let name = reader.qualified()?;
        reader.accept_token(&Token::Mul);
        Ok(name)
    })?;
    let mut mode = "ACCESS EXCLUSIVE".to_owned();
    if reader.accept(&["in"]) {
        let mut words = Vec::new();
        while let Some(word) = reader.accept_any(&["access", "row", "share", "exclusive", "update"]) {
            words.push(word.to_ascii_uppercase());
        }
        reader.expect(&["mode"])?;
        mode = words.join(" ");
    }
    let nowait = reader.accept(&["nowait"]);
    Ok(Statement::Lock { relations, mode, nowait })
}
