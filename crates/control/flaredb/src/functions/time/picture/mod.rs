//! Pictures of times: `YYYY-MM-DD HH24:MI`, for `to_char`, `to_timestamp` and `to_date`.

use crate::functions::call::Scalar;

mod gather;
mod keys;
mod read;
mod show;
mod shown;
mod source;

use keys::{Key, Letters};

/// What SQLite calls.
pub(super) const PAINTED: &[Scalar] = show::SCALARS;
/// What SQLite calls.
pub(super) const READ: &[Scalar] = gather::SCALARS;

/// A field in a picture.
#[derive(Clone, Debug)]
struct Field {
    key: Key,
    letters: Letters,
    /// As it was written.
    name: String,
    /// `FM` or `TM` before it: without what fills it up.
    bare: bool,
    /// `TH` or `th` behind it.
    ordinal: Option<Letters>,
}

/// A part of a picture.
#[derive(Clone, Debug)]
enum Part {
    Field(Field),
    Space,
    /// A mark that is neither a letter nor a digit.
    Separator(char),
    Character(char),
}

/// Takes a picture apart.
fn parts(picture: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = picture;
    loop {
        let (bare, behind) = prefixes(rest);
        rest = behind;
        let Some(first) = rest.chars().next() else { return parts };
        if let Some((field, behind)) = field(rest, bare) {
            parts.push(Part::Field(field));
            rest = behind;
            continue;
        }
        let behind = rest.get(first.len_utf8()..).unwrap_or_default();
        rest = match first {
            '"' => quoted(behind, &mut parts),
            '\\' if behind.starts_with('"') => {
                parts.push(Part::Character('"'));
                behind.get(1..).unwrap_or_default()
            }
            _ => {
                parts.push(plain(first));
                behind
            }
        };
    }
}

fn plain(character: char) -> Part {
    match character {
        character if character.is_ascii_whitespace() => Part::Space,
        character if is_separator(character) => Part::Separator(character),
        character => Part::Character(character),
    }
}

fn is_separator(character: char) -> bool {
    character.is_ascii_punctuation()
}

/// What stands between quotes, as it is; gives what comes behind.
fn quoted<'a>(text: &'a str, parts: &mut Vec<Part>) -> &'a str {
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return text.get(at + 1..).unwrap_or_default(),
            '\\' => match characters.next() {
                Some((_, escaped)) => parts.push(Part::Character(escaped)),
                None => return "",
            },
            character => parts.push(Part::Character(character)),
        }
    }
    ""
}

/// Over `FM`, `TM` and their like; whether there was one.
fn prefixes(text: &str) -> (bool, &str) {
    let mut rest = text;
    while let Some("FM" | "fm" | "TM" | "tm") = rest.get(..2) {
        rest = rest.get(2..).unwrap_or_default();
    }
    (rest.len() < text.len(), rest)
}

/// A field, with what stands behind it.
fn field(text: &str, bare: bool) -> Option<(Field, &str)> {
    let (name, key, letters) = Key::at(text)?;
    let behind = text.get(name.len()..).unwrap_or_default();
    let (ordinal, behind) = match behind.split_at_checked(2) {
        Some(("TH", behind)) => (Some(Letters::Upper), behind),
        Some(("th", behind)) => (Some(Letters::Lower), behind),
        _ => (None, behind),
    };
    Some((Field { key, letters, name: name.to_owned(), bare, ordinal }, behind))
}
