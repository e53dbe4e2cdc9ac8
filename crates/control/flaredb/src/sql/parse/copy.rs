//! `COPY`, with its options in both of PostgreSQL's forms.

use crate::base::{SqlError, SqlState};
use sqlparser::tokenizer::Token;

use super::reader::Reader;
use crate::sql::copy::{Columns, CopyFormat, CopyOptions};
use crate::sql::tree::{Copy, CopySource, Statement};

/// An option as it was written.
enum Value {
    None,
    Text(String),
    Columns(Columns),
}

/// After `COPY`.
pub(crate) fn copy(reader: &mut Reader) -> Result<Statement, SqlError> {
    if reader.accept(&["binary"]) {
        return Err(binary());
    }
    let (source, can_come) = source(reader)?;
    let from = match reader.accept_any(&["from", "to"]) {
        Some("from") if can_come => true,
        Some("to") => false,
        _ => return Err(reader.unexpected()),
    };
    target(reader, from)?;
    reader.accept_any(&["using"]);
    let written = options(reader)?;
    let filter = if from && reader.accept(&["where"]) { Some(reader.expr()?) } else { None };
    let options = understood(written, from)?;
    Ok(Statement::Copy(Box::new(Copy { source, from, options, filter })))
}

fn source(reader: &mut Reader) -> Result<(CopySource, bool), SqlError> {
    if reader.accept_token(&Token::LParen) {
        let statement = super::statement(reader)?;
        reader.expect_token(&Token::RParen)?;
        return Ok((CopySource::Query(statement), false));
    }
    let name = reader.qualified()?;
    let columns =
        if reader.peek().token == Token::LParen { reader.in_parentheses(Reader::name)? } else { Vec::new() };
    Ok((CopySource::Table(name, columns), true))
}

fn target(reader: &mut Reader, from: bool) -> Result<(), SqlError> {
    let own = if from { "stdin" } else { "stdout" };
    if reader.accept(&[own]) || reader.accept_any(&["stdin", "stdout"]).is_some() {
        return Ok(());
    }
    if reader.accept(&["program"]) || matches!(reader.peek().token, Token::SingleQuotedString(_)) {
        return Err(SqlError::unsupported("COPY with a file or a program on the server")
            .with_hint("Use COPY FROM STDIN or TO STDOUT; psql's \\copy reads and writes local files."));
    }
    Err(reader.unexpected())
}

fn binary() -> SqlError {
    SqlError::unsupported("COPY in the binary format").with_hint("Use the text or the csv format.")
}

fn options(reader: &mut Reader) -> Result<Vec<(String, Value)>, SqlError> {
    reader.accept(&["with"]);
    if reader.peek().token == Token::LParen {
        return reader.in_parentheses(option);
    }
    let mut options = Vec::new();
    while !reader.at_end() && !reader.sees("where") {
        options.push(old_option(reader)?);
    }
    Ok(options)
}

/// `name [value]` in parentheses.
fn option(reader: &mut Reader) -> Result<(String, Value), SqlError> {
    let name = reader.any_name()?;
    let value = match &reader.peek().token {
        Token::Comma | Token::RParen => Value::None,
        Token::Mul => {
            reader.take();
            Value::Columns(Columns::All)
        }
        Token::LParen => Value::Columns(Columns::These(reader.in_parentheses(Reader::name)?)),
        Token::Word(_) => Value::Text(reader.any_name()?),
        Token::Number(digits, _) => {
            let digits = digits.clone();
            reader.take();
            Value::Text(digits)
        }
        _ => Value::Text(reader.string()?),
    };
    Ok((name, value))
}

/// `CSV HEADER DELIMITER ','` without parentheses.
fn old_option(reader: &mut Reader) -> Result<(String, Value), SqlError> {
    if reader.accept(&["binary"]) {
        return Err(binary());
    }
    if reader.accept(&["csv"]) {
        return Ok(("format".to_owned(), Value::Text("csv".to_owned())));
    }
    if let Some(flag) = reader.accept_any(&["header", "freeze"]) {
        return Ok((flag.to_owned(), Value::None));
    }
    if let Some(name) = reader.accept_any(&["delimiter", "delimiters", "null", "quote", "escape", "encoding"])
    {
        reader.accept(&["as"]);
        let name = if name == "delimiters" { "delimiter" } else { name };
        return Ok((name.to_owned(), Value::Text(reader.string()?)));
    }
    for (words, name) in [
        (&["force", "quote"][..], "force_quote"),
        (&["force", "not", "null"], "force_not_null"),
        (&["force", "null"], "force_null"),
    ] {
        if reader.accept(words) {
            let all = reader.accept_token(&Token::Mul);
            let columns = if all { Columns::All } else { Columns::These(reader.list(Reader::name)?) };
            return Ok((name.to_owned(), Value::Columns(columns)));
        }
    }
    Err(reader.unexpected())
}

fn understood(written: Vec<(String, Value)>, from: bool) -> Result<CopyOptions, SqlError> {
    let format = written.iter().rev().find_map(|(name, value)| match value {
        Value::Text(text) if name == "format" => Some(text.as_str()),
        _ => None,
    });
    let format = match format.unwrap_or("text") {
        "text" => CopyFormat::Text,
        "csv" => CopyFormat::Csv,
        "binary" => return Err(binary()),
        other => {
            let message = format!("COPY format \"{other}\" not recognized");
            return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
    };
    let mut options = CopyOptions::of(format);
    let mut seen: Vec<&str> = Vec::new();
    let mut escaped = false;
    for (name, value) in &written {
        if seen.contains(&name.as_str()) {
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options"));
        }
        seen.push(name);
        escaped |= name == "escape";
        apply(&mut options, name, value, from)?;
    }
    if !escaped {
        options.escape = options.quote;
    }
    check(&options, &seen)?;
    Ok(options)
}

fn apply(options: &mut CopyOptions, name: &str, value: &Value, from: bool) -> Result<(), SqlError> {
    match (name, value) {
        ("format", _) | ("freeze", _) | ("encoding", _) => {}
        ("header", Value::Text(text)) if text == "match" => {
            if !from {
                let message = "cannot use \"match\" with HEADER in COPY TO";
                return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
            (options.header, options.header_match) = (true, true);
        }
        ("header", Value::Text(text)) => options.header = boolean(name, text)?,
        ("header", Value::None) => options.header = true,
        ("delimiter", Value::Text(text)) => {
            options.delimiter = one(text, "COPY delimiter must be a single one-byte character")?
        }
        ("null", Value::Text(text)) => options.null.clone_from(text),
        ("quote", Value::Text(text)) => {
            options.quote = one(text, "COPY quote must be a single one-byte character")?
        }
        ("escape", Value::Text(text)) => {
            options.escape = one(text, "COPY escape must be a single one-byte character")?
        }
        ("force_quote", Value::Columns(columns)) => options.force_quote = columns.clone(),
        ("force_not_null", Value::Columns(columns)) => options.force_not_null = columns.clone(),
        ("force_null", Value::Columns(columns)) => options.force_null = columns.clone(),
        _ => {
            let message = format!("option \"{name}\" not recognized");
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
        }
    }
    Ok(())
}

fn boolean(name: &str, text: &str) -> Result<bool, SqlError> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Ok(true),
        "false" | "off" | "0" => Ok(false),
        _ => {
            let message = format!("{name} requires a Boolean value or \"match\"");
            Err(SqlError::new(SqlState::SYNTAX_ERROR, message))
        }
    }
}

fn one(text: &str, message: &str) -> Result<char, SqlError> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if c.is_ascii() => Ok(c),
        _ => Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)),
    }
}

fn check(options: &CopyOptions, seen: &[&str]) -> Result<(), SqlError> {
    let csv = options.format == CopyFormat::Csv;
    for (name, message) in [
        ("quote", "COPY quote available only in CSV mode"),
        ("escape", "COPY escape available only in CSV mode"),
        ("force_quote", "COPY force quote available only in CSV mode"),
        ("force_not_null", "COPY force not null available only in CSV mode"),
        ("force_null", "COPY force null available only in CSV mode"),
    ] {
        if !csv && seen.contains(&name) {
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
    }
    let delimiter = options.delimiter;
    let message = if delimiter == '\n' || delimiter == '\r' {
        "COPY delimiter cannot be newline or carriage return".to_owned()
    } else if options.null.contains(['\n', '\r']) {
        "COPY null representation cannot use newline or carriage return".to_owned()
    } else if !csv && "\\.abcdefghijklmnopqrstuvwxyz0123456789".contains(delimiter) {
        format!("COPY delimiter cannot be \"{delimiter}\"")
    } else if csv && delimiter == options.quote {
        "COPY delimiter and quote must be different".to_owned()
    } else if options.null.contains(delimiter) {
        let message = "COPY delimiter must not appear in the NULL specification";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    } else {
        return Ok(());
    };
    Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message))
}
