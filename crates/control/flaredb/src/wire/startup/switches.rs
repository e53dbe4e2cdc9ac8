//! The startup parameter `options`: a command line, of which only settings are taken.

use crate::base::{SqlError, SqlState};

/// `-c name=value`, `-cname=value` and `--name=value`, in order. A backslash keeps the blank behind it.
pub(super) fn settings(options: &str) -> Result<Vec<(String, String)>, SqlError> {
    let mut words = words(options).into_iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let (shown, said) = if let Some(long) = word.strip_prefix("--") {
            (word.clone(), long.to_owned())
        } else if word == "-c" {
            let next = words.next().ok_or_else(|| invalid(&word))?;
            (format!("-c {next}"), next)
        } else if let Some(short) = word.strip_prefix("-c") {
            (format!("-c {short}"), short.to_owned())
        } else {
            return Err(invalid(&word));
        };
        let setting = said.split_once('=').map(|(name, value)| (name.replace('-', "_"), value.to_owned()));
        settings.push(setting.ok_or_else(|| syntax(format!("{shown} requires a value")))?);
    }
    Ok(settings)
}

fn words(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.get_or_insert_default().extend(characters.next()),
            _ if character.is_ascii_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

fn invalid(word: &str) -> SqlError {
    syntax(format!("invalid command-line argument for server process: {word}"))
        .with_hint("Only settings can be given: -c name=value.")
}

fn syntax(message: String) -> SqlError {
    SqlError::new(SqlState::SYNTAX_ERROR, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_say_a_setting_is_understood() {
        for (options, expected) in [
            ("", &[][..]),
            ("-c a=b", &[("a", "b")]),
            ("  -ca=b\t--search-path=x\\ y,\\\\z ", &[("a", "b"), ("search_path", "x y,\\z")]),
            ("-c a==", &[("a", "=")]),
            ("--a=", &[("a", "")]),
        ] {
            let expected: Vec<_> =
                expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(settings(options), Ok(expected), "{options}");
        }
    }

    // Messages as PostgreSQL 15 gives them.
    #[test]
    fn what_is_no_setting_is_refused() {
        for (options, message) in [
            ("-Q", "invalid command-line argument for server process: -Q"),
            ("foo", "invalid command-line argument for server process: foo"),
            ("-c foo", "-c foo requires a value"),
            ("--foo", "--foo requires a value"),
            ("-c", "invalid command-line argument for server process: -c"),
        ] {
            let error = settings(options).unwrap_err();
            assert_eq!((error.message.as_str(), error.state), (message, SqlState::SYNTAX_ERROR));
        }
    }
}
