//! SIMILAR TO: its patterns as regular expressions.

use crate::base::error::{SqlError, SqlState};

use crate::functions::call::{Answer, Call, Scalar, strict};

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[strict("fl_similar", 2, similar)];

fn similar(call: &Call<'_>) -> Answer {
    let (pattern, escape) = (call.text(0)?, call.text(1)?);
    let mut characters = escape.chars();
    let escape = characters.next();
    if characters.next().is_some() {
        let error = SqlError::new(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid escape string");
        return Err(error.with_hint("Escape string must be empty or one character."));
    }
    Ok(rewritten(pattern, escape)?.into())
}

/// How far a bracket expression was read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bracket {
    Outside,
    /// Right behind `[` or `[^`, where `]` is a character.
    Start,
    Inside,
    /// In `[:alpha:]` and the like.
    Class,
}

/// As a regular expression. Marked by escaped double quotes, the middle part is what `substring` gives: the part
/// before it is as short as it can be.
fn rewritten(pattern: &str, escape: Option<char>) -> Result<String, SqlError> {
    let mut out = "^(?:".to_owned();
    let mut bracket = Bracket::Outside;
    let mut marks = 0;
    let mut characters = pattern.chars().peekable();
    while let Some(c) = characters.next() {
        if Some(c) == escape {
            match characters.next() {
                Some('"') if bracket == Bracket::Outside => {
                    marks += 1;
                    out.push_str(mark(marks)?);
                }
                Some(c) => out.extend(['\\', c]),
                None => {}
            }
            continue;
        }
        if bracket != Bracket::Outside {
            bracket = inside(bracket, c, characters.peek().copied());
            out.extend((c == '\\').then_some('\\'));
            out.push(c);
            continue;
        }
        match c {
            '[' => {
                bracket = Bracket::Start;
                out.push('[');
                out.extend(characters.next_if_eq(&'^'));
            }
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '(' => out.push_str("(?:"),
            '\\' | '.' | '^' | '$' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out.push_str(")$");
    Ok(out)
}

fn inside(bracket: Bracket, c: char, next: Option<char>) -> Bracket {
    match (bracket, c) {
        (Bracket::Class, ']') => Bracket::Inside,
        (Bracket::Class, _) => Bracket::Class,
        (Bracket::Inside, ']') => Bracket::Outside,
        (_, '[') if matches!(next, Some(':' | '.' | '=')) => Bracket::Class,
        _ => Bracket::Inside,
    }
}

/// What stands for the first and the second mark.
fn mark(number: usize) -> Result<&'static str, SqlError> {
    match number {
        1 => Ok("){1,1}?("),
        2 => Ok("){1,1}(?:"),
        _ => {
            let message =
                "SQL regular expression may not contain more than two escape-double-quote separators";
            Err(SqlError::new(SqlState(*b"2200C"), message))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::testing::check;

    #[test]
    fn patterns_become_regular_expressions() {
        check(&[
            (r"fl_similar('a%_.(b|c)[%_.]\x', '\')", r"^(?:a.*.\.(?:b|c)[%_.]\x)$"),
            ("fl_similar('a#%b', '#')", r"^(?:a\%b)$"),
            ("fl_similar('[[:alpha:]]%', '')", "^(?:[[:alpha:]].*)$"),
            ("fl_similar('[^]a]%', '')", "^(?:[^]a].*)$"),
            (r#"fl_similar('a\"b\"c', '\')"#, "^(?:a){1,1}?(b){1,1}(?:c)$"),
            (
                r#"fl_similar('a\"b\"c\"d', '\')"#,
                "2200C: SQL regular expression may not contain more than two escape-double-quote separators",
            ),
            ("fl_similar('a', '##')", "22025: invalid escape string"),
            (r#"fl_regexp_substring('abcdefg', fl_similar('a#"%#"g', '#'))"#, "bcdef"),
            (r#"fl_regexp_substring('abcabc', fl_similar('%#"b%#"%', '#'))"#, "bcabc"),
        ]);
    }
}
