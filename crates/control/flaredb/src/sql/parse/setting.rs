//! `SET`, `SHOW` and `RESET`.

use crate::base::SqlError;
use sqlparser::tokenizer::Token;

use super::reader::Reader;
use super::transaction;
use crate::sql::session::{Session, SetTo};

/// After `SET`.
pub(crate) fn set(reader: &mut Reader) -> Result<Session, SqlError> {
    if reader.accept(&["session", "characteristics", "as", "transaction"]) {
        return Ok(Session::SetCharacteristics(transaction::modes(reader)?));
    }
    if reader.accept(&["transaction", "snapshot"]) {
        return Err(SqlError::unsupported("SET TRANSACTION SNAPSHOT"));
    }
    if reader.accept(&["transaction"]) {
        return Ok(Session::SetTransaction(transaction::modes(reader)?));
    }
    if reader.accept(&["constraints"]) {
        return constraints(reader);
    }
    let local = reader.accept(&["local"]);
    if !local && !reader.sees_all(&["session", "authorization"]) {
        reader.accept(&["session"]);
    }
    if reader.accept(&["session", "authorization"]) {
        return Ok(Session::SetSessionAuthorization { role: role(reader, "default")?, local });
    }
    if reader.accept(&["role"]) {
        return Ok(Session::SetRole { role: role(reader, "none")?, local });
    }
    if reader.accept(&["time", "zone"]) {
        return Ok(Session::Set { name: "timezone".to_owned(), to: zone(reader)?, local });
    }
    if reader.accept(&["names"]) {
        return Ok(Session::Set { name: "client_encoding".to_owned(), to: names(reader)?, local });
    }
    if reader.accept(&["schema"]) {
        let to = SetTo::Values(vec![reader.string()?]);
        return Ok(Session::Set { name: "search_path".to_owned(), to, local });
    }
    assignment(reader, local)
}

fn assignment(reader: &mut Reader, local: bool) -> Result<Session, SqlError> {
    let name = variable(reader)?;
    if reader.accept(&["from", "current"]) {
        return Err(SqlError::unsupported("SET … FROM CURRENT"));
    }
    if !reader.accept_token(&Token::Eq) && !reader.accept(&["to"]) {
        return Err(reader.unexpected());
    }
    if reader.accept(&["default"]) {
        return Ok(Session::Set { name, to: SetTo::Default, local });
    }
    let values = reader.list(value)?;
    Ok(Session::Set { name, to: SetTo::Values(values), local })
}

/// `a` or `a.b`, in lower case: settings' names ignore it.
fn variable(reader: &mut Reader) -> Result<String, SqlError> {
    let mut name = reader.name()?.to_ascii_lowercase();
    while reader.accept_token(&Token::Period) {
        name.push('.');
        name.push_str(&reader.any_name()?.to_ascii_lowercase());
    }
    Ok(name)
}

fn value(reader: &mut Reader) -> Result<String, SqlError> {
    match &reader.peek().token {
        Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_) | Token::DollarQuotedString(_) => {
            reader.string()
        }
        Token::Word(_) => reader.any_name(),
        Token::Minus | Token::Plus | Token::Number(..) => number(reader),
        _ => Err(reader.unexpected()),
    }
}

fn number(reader: &mut Reader) -> Result<String, SqlError> {
    let negative = reader.accept_token(&Token::Minus);
    reader.accept_token(&Token::Plus);
    match reader.take().token {
        Token::Number(digits, _) if negative => Ok(format!("-{digits}")),
        Token::Number(digits, _) => Ok(digits),
        _ => Err(reader.unexpected()),
    }
}

fn zone(reader: &mut Reader) -> Result<SetTo, SqlError> {
    if reader.accept_any(&["local", "default"]).is_some() {
        return Ok(SetTo::Default);
    }
    if reader.accept(&["interval"]) {
        let text = reader.string()?;
        reader.accept(&["hour", "to", "minute"]);
        return Ok(SetTo::Values(vec![text]));
    }
    Ok(SetTo::Values(vec![value(reader)?]))
}

fn names(reader: &mut Reader) -> Result<SetTo, SqlError> {
    if reader.at_end() || reader.accept(&["default"]) {
        return Ok(SetTo::Default);
    }
    Ok(SetTo::Values(vec![value(reader)?]))
}

fn role(reader: &mut Reader, nobody: &str) -> Result<Option<String>, SqlError> {
    if reader.accept(&[nobody]) {
        return Ok(None);
    }
    value(reader).map(Some)
}

fn constraints(reader: &mut Reader) -> Result<Session, SqlError> {
    let names = if reader.accept(&["all"]) { None } else { Some(reader.list(Reader::qualified)?) };
    match reader.accept_any(&["deferred", "immediate"]) {
        Some(mode) => Ok(Session::SetConstraints { names, deferred: mode == "deferred" }),
        None => Err(reader.unexpected()),
    }
}

/// After `SHOW`.
pub(crate) fn show(reader: &mut Reader) -> Result<Session, SqlError> {
    named(reader).map(|name| match name.as_str() {
        "all" => Session::Show(None),
        _ => Session::Show(Some(name)),
    })
}

/// After `RESET`.
pub(crate) fn reset(reader: &mut Reader) -> Result<Session, SqlError> {
    named(reader).map(|name| match name.as_str() {
        "all" => Session::Reset(None),
        "session_authorization" => Session::SetSessionAuthorization { role: None, local: false },
        "role" => Session::SetRole { role: None, local: false },
        _ => Session::Reset(Some(name)),
    })
}

fn named(reader: &mut Reader) -> Result<String, SqlError> {
    for (words, name) in [
        (&["all"][..], "all"),
        (&["time", "zone"], "timezone"),
        (&["transaction", "isolation", "level"], "transaction_isolation"),
        (&["session", "authorization"], "session_authorization"),
    ] {
        if reader.accept(words) {
            return Ok(name.to_owned());
        }
    }
    variable(reader)
}
