//! Quoting for SQL, and taking quoted names apart.

use crate::base::error::{SqlError, SqlState};
use crate::base::types::Type;

use crate::functions::call::{Answer, Call, Scalar, strict};
use crate::functions::output;

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_quote_ident", 1, |call| Ok(quoted_name(call.text(0)?).into())),
    strict("fl_quote_literal", 2, quote_literal),
    strict("fl_parse_ident", 2, |call| Ok(parts(call.text(0)?, call.bool(1)?)?.into())),
];

/// PostgreSQL's words that cannot be a name without quotes everywhere, sorted.
const KEYWORDS: &str = " all analyse analyze and any array as asc asymmetric authorization between bigint binary \
    bit boolean both case cast char character check coalesce collate collation column concurrently constraint \
    create cross current_catalog current_date current_role current_schema current_time current_timestamp \
    current_user dec decimal default deferrable desc distinct do else end except exists extract false fetch float \
    for foreign freeze from full grant greatest group grouping having ilike in initially inner inout int integer \
    intersect interval into is isnull join lateral leading least left like limit localtime localtimestamp national \
    natural nchar none normalize not notnull null nullif numeric offset on only or order out outer overlaps \
    overlay placing position precision primary real references returning right row select session_user setof \
    similar smallint some substring symmetric table tablesample then time timestamp to trailing treat trim true \
    union unique user using values varchar variadic verbose when where window with xmlattributes xmlconcat \
    xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable ";

/// In double quotes if it needs them.
pub(crate) fn quoted_name(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !KEYWORDS.contains(&format!(" {name} "));
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// In single quotes, with an E before it if there are backslashes.
pub(crate) fn quoted_text(text: &str) -> String {
    let mark = if text.contains('\\') { "E" } else { "" };
    format!("{mark}'{}'", text.replace('\'', "''").replace('\\', "\\\\"))
}

/// Of any type: by way of a cast to text.
fn quote_literal(call: &Call<'_>) -> Answer {
    let text = match call.ty(0)? {
        Type::BOOL => if call.bool(1)? { "true" } else { "false" }.into(),
        ty => output::text_of(ty, call.value(1), call.evaluation())?,
    };
    Ok(quoted_text(&text).into())
}

/// `"A".b` becomes `["A","b"]`; what follows a whole name is an error if it is strict about it.
fn parts(text: &str, strict: bool) -> Result<String, SqlError> {
    let refused = || {
        let message = format!("string is not a valid identifier: \"{text}\"");
        SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
    };
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let (part, behind) = if let Some(quoted) = rest.strip_prefix('"') {
            let Some((part, behind)) = quoted_part(quoted) else {
                return Err(refused().with_detail("String has unclosed double quotes."));
            };
            if part.is_empty() {
                return Err(refused().with_detail("Quoted identifier must not be empty."));
            }
            (part, behind)
        } else {
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            (rest[..end].to_ascii_lowercase(), &rest[end..])
        };
        if part.is_empty()
            || part.starts_with(|c: char| c.is_ascii_digit() || c == '$') && !rest.starts_with('"')
        {
            return Err(match (rest.starts_with('.'), parts.is_empty()) {
                (true, _) => refused().with_detail("No valid identifier before \".\"."),
                (false, false) => refused().with_detail("No valid identifier after \".\"."),
                (false, true) => refused(),
            });
        }
        parts.push(part);
        rest = behind.trim_start();
        match rest.strip_prefix('.') {
            Some(more) => rest = more.trim_start(),
            None if rest.is_empty() || !strict => break,
            None => return Err(refused()),
        }
    }
    Ok(output::array_of_texts(parts.iter().map(|part| Some(part.as_str()))))
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

/// Up to the closing quote, and what is behind it.
fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let (before, behind) = rest.split_once('"')?;
        part.push_str(before);
        match behind.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return Some((part, behind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::testing::check;

    #[test]
    fn names_and_texts_are_quoted_where_they_must_be() {
        check(&[
            ("fl_quote_ident('abc_1')", "abc_1"),
            ("fl_quote_ident('select')", "\"select\""),
            ("fl_quote_ident('abort')", "abort"),
            ("fl_quote_ident('a\"b')", "\"a\"\"b\""),
            ("fl_quote_ident('')", "\"\""),
            ("fl_quote_literal(25, 'it''s')", "'it''s'"),
            (r"fl_quote_literal(25, 'a\b')", r"E'a\\b'"),
            ("fl_quote_literal(16, 1)", "'true'"),
            ("fl_parse_ident('\"Foo\".bar . baz', 1)", r#"["Foo","bar","baz"]"#),
            ("fl_parse_ident('foo.bar()', 0)", r#"["foo","bar"]"#),
            ("fl_parse_ident('foo.bar()', 1)", "22023: string is not a valid identifier: \"foo.bar()\""),
            ("fl_parse_ident('1a', 1)", "22023: string is not a valid identifier: \"1a\""),
        ]);
    }
}
