//! Options of sequences, and of identity columns.

use crate::base::SqlError;
use sqlparser::tokenizer::Token;

use super::super::reader::Reader;
use crate::sql::names::Name;
use crate::sql::tree::SequenceOption;

/// Until none follows.
pub(crate) fn options(reader: &mut Reader) -> Result<Vec<SequenceOption>, SqlError> {
    let mut options = Vec::new();
    while let Some(option) = option(reader)? {
        options.push(option);
    }
    Ok(options)
}

/// In parentheses, if there are any.
pub(crate) fn parenthesized(reader: &mut Reader) -> Result<Vec<SequenceOption>, SqlError> {
    if !reader.accept_token(&Token::LParen) {
        return Ok(Vec::new());
    }
    let options = options(reader)?;
    reader.expect_token(&Token::RParen)?;
    Ok(options)
}

/// One, if it is next.
pub(crate) fn option(reader: &mut Reader) -> Result<Option<SequenceOption>, SqlError> {
    let words = [
        "as",
        "increment",
        "minvalue",
        "maxvalue",
        "start",
        "restart",
        "cache",
        "cycle",
        "no",
        "owned",
        "sequence",
    ];
    let Some(word) = reader.accept_any(&words) else { return Ok(None) };
    Ok(Some(match word {
        "as" => SequenceOption::As(reader.data_type()?),
        "increment" => {
            reader.accept(&["by"]);
            SequenceOption::Increment(reader.integer()?)
        }
        "minvalue" => SequenceOption::Min(Some(reader.integer()?)),
        "maxvalue" => SequenceOption::Max(Some(reader.integer()?)),
        "start" => {
            reader.accept(&["with"]);
            SequenceOption::Start(reader.integer()?)
        }
        "restart" => {
            reader.accept(&["with"]);
            SequenceOption::Restart(reader.accept_integer()?)
        }
        "cache" => {
            reader.integer()?;
            SequenceOption::Cache
        }
        "cycle" => SequenceOption::Cycle(true),
        "sequence" => {
            reader.expect(&["name"])?;
            SequenceOption::Name(reader.qualified()?)
        }
        "owned" => {
            reader.expect(&["by"])?;
            SequenceOption::OwnedBy(owner(reader)?)
        }
        _ => match reader.accept_any(&["minvalue", "maxvalue", "cycle"]) {
            Some("minvalue") => SequenceOption::Min(None),
            Some("maxvalue") => SequenceOption::Max(None),
            Some(_) => SequenceOption::Cycle(false),
            None => return Err(reader.unexpected()),
        },
    }))
}

/// `NONE`, `table.column` or `schema.table.column`.
fn owner(reader: &mut Reader) -> Result<Option<(Name, String)>, SqlError> {
    if reader.accept(&["none"]) {
        return Ok(None);
    }
    let at = reader.position();
    let mut parts = vec![reader.name()?];
    while reader.accept_token(&Token::Period) {
        parts.push(reader.any_name()?);
    }
    let column = parts.pop().unwrap_or_default();
    match parts.pop() {
        Some(name) => Ok(Some((Name { schema: parts.pop(), name, at }, column))),
        None => Err(SqlError::new(crate::base::SqlState::SYNTAX_ERROR, "invalid OWNED BY option")
            .with_hint("Specify OWNED BY table.column or OWNED BY NONE.")),
    }
}
