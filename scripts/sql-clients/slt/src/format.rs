//! How a value is written in the results of a file.

use sqllogictest::DefaultColumnType;

/// A value as PostgreSQL writes it, so that it stays on one line and never looks like nothing.
pub(crate) fn postgresql(value: Option<&str>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some("") => "(empty)".to_owned(),
        Some(text) => text.replace('\n', "\\n"),
    }
}

/// A value as SQLite's own test program writes it for a column of that letter.
pub(crate) fn sqlite(value: Option<&str>, kind: &DefaultColumnType) -> String {
    let Some(text) = value else { return "NULL".to_owned() };
    match kind {
        DefaultColumnType::Integer => integer(text).to_string(),
        DefaultColumnType::FloatingPoint => format!("{:.3}", real(text)),
        _ if text.is_empty() => "(empty)".to_owned(),
        _ => text.chars().map(|c| if (' '..='~').contains(&c) { c } else { '@' }).collect(),
    }
}

/// The number that a text begins with, as SQLite's cast to integer takes it; 0 where there is none.
fn integer(text: &str) -> i64 {
    match text {
        "t" | "true" => 1,
        "f" | "false" => 0,
        _ => text.parse().unwrap_or_else(|_| real(text) as i64),
    }
}

/// The number that a text begins with; 0 where there is none.
fn real(text: &str) -> f64 {
    let text = text.trim_start();
    let end = |c: char| !(c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E'));
    let mut head = text.split(end).next().unwrap_or_default();
    loop {
        match head.parse() {
            Ok(number) => return number,
            Err(_) if head.is_empty() => return 0.0,
            Err(_) => head = head.get(..head.len() - 1).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_writes_by_the_letter() {
        let int = DefaultColumnType::Integer;
        assert_eq!(sqlite(Some("12.9"), &int), "12");
        assert_eq!(sqlite(Some("-3"), &int), "-3");
        assert_eq!(sqlite(Some("t"), &int), "1");
        assert_eq!(sqlite(Some("abc"), &int), "0");
        assert_eq!(sqlite(Some("9223372036854775807"), &int), "9223372036854775807");
        assert_eq!(sqlite(Some("1"), &DefaultColumnType::FloatingPoint), "1.000");
        assert_eq!(sqlite(Some(""), &DefaultColumnType::Text), "(empty)");
        assert_eq!(sqlite(Some("a\tb"), &DefaultColumnType::Text), "a@b");
        assert_eq!(sqlite(None, &int), "NULL");
    }

    #[test]
    fn postgresql_keeps_a_value_on_its_line() {
        assert_eq!(postgresql(Some("a\nb")), "a\\nb");
        assert_eq!(postgresql(Some("")), "(empty)");
        assert_eq!(postgresql(None), "NULL");
    }
}
