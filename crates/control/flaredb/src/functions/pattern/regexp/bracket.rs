//! Bracket expressions, classes and escapes for single characters.

use crate::base::error::SqlError;

use super::syntax::{bad_escape, invalid, literal};

/// POSIX classes, as the crate's, without their brackets.
const CLASSES: &[(&str, &str)] = &[
    ("alnum", "\\p{Alphabetic}\\p{Nd}"),
    ("alpha", "\\p{Alphabetic}"),
    ("ascii", "\\x00-\\x7f"),
    ("blank", " \\t"),
    ("cntrl", "\\p{Cc}"),
    ("digit", "0-9"),
    ("graph", "[^\\s\\p{Cc}\\p{Cs}\\p{Cn}]"),
    ("lower", "\\p{Lowercase}"),
    ("print", "[^\\p{Cc}\\p{Zl}\\p{Zp}\\p{Cs}\\p{Cn}]"),
    ("punct", "\\p{P}\\p{S}"),
    ("space", SPACE),
    ("upper", "\\p{Uppercase}"),
    ("word", WORD),
    ("xdigit", "0-9A-Fa-f"),
];

const WORD: &str = "\\p{Alphabetic}\\p{Nd}_";

/// All blanks but those that do not break a line.
const SPACE: &str =
    "\\t-\\r \\x{1680}\\x{2000}-\\x{2006}\\x{2008}-\\x{200a}\\x{2028}\\x{2029}\\x{205f}\\x{3000}";
const NO_SPACE: &str =
    "[^\\t-\\r \\x{1680}\\x{2000}-\\x{2006}\\x{2008}-\\x{200a}\\x{2028}\\x{2029}\\x{205f}\\x{3000}]";

/// Names of collating elements that stand for a character of their own; the rest of POSIX's list is refused.
const ELEMENTS: &[(&str, char)] = &[
    ("tab", '\t'),
    ("newline", '\n'),
    ("carriage-return", '\r'),
    ("space", ' '),
    ("hyphen", '-'),
    ("hyphen-minus", '-'),
    ("period", '.'),
    ("full-stop", '.'),
    ("slash", '/'),
    ("solidus", '/'),
    ("backslash", '\\'),
    ("reverse-solidus", '\\'),
    ("left-square-bracket", '['),
    ("right-square-bracket", ']'),
    ("circumflex", '^'),
    ("underscore", '_'),
];

/// The class of an escape like `\d`, to stand in brackets.
pub(crate) fn class_of(letter: char) -> Option<&'static str> {
    match letter {
        'd' => Some("0-9"),
        's' => Some(SPACE),
        'w' => Some(WORD),
        'D' => Some("[^0-9]"),
        'S' => Some(NO_SPACE),
        'W' => Some("[^\\p{Alphabetic}\\p{Nd}_]"),
        _ => None,
    }
}

/// Part of a bracket expression.
enum Item {
    One(char),
    Class(&'static str),
}

/// Rewrites what follows `[`; gives the whole expression and what is behind it.
pub(crate) fn rewrite(text: &str, stops: bool) -> Result<(String, &str), SqlError> {
    let mut rest = text;
    let mut out = "[".to_owned();
    if let Some(behind) = rest.strip_prefix('^') {
        rest = behind;
        out.push_str(if stops { "^\\n" } else { "^" });
    }
    let mut first = true;
    loop {
        if let (false, Some(behind)) = (first, rest.strip_prefix(']')) {
            out.push(']');
            return Ok((out, behind));
        }
        let (from, behind) = item(rest)?;
        let dash = rest.starts_with('-') && !first && !behind.starts_with(']');
        if dash {
            return Err(invalid("invalid character range"));
        }
        (rest, first) = (behind, false);
        let to = rest.strip_prefix('-').filter(|behind| !behind.starts_with(']'));
        match (from, to) {
            (Item::Class(class), None) => out.push_str(class),
            (Item::One(c), None) => out.push_str(&literal(c)),
            (Item::Class(_), Some(_)) => return Err(invalid("invalid character range")),
            (Item::One(from), Some(behind)) => {
                let (Item::One(to), behind) = item(behind)? else {
                    return Err(invalid("invalid character range"));
                };
                if to < from {
                    return Err(invalid("invalid character range"));
                }
                out.push_str(&format!("{}-{}", literal(from), literal(to)));
                rest = behind;
            }
        }
    }
}

fn unbalanced() -> SqlError {
    invalid("brackets [] not balanced")
}

/// One character or class, and what is behind it.
fn item(text: &str) -> Result<(Item, &str), SqlError> {
    let c = text.chars().next().ok_or_else(unbalanced)?;
    let behind = &text[c.len_utf8()..];
    match (c, behind.chars().next()) {
        ('[', Some(':')) => {
            let (name, behind) = behind[1..].split_once(":]").ok_or_else(unbalanced)?;
            let class = CLASSES.iter().find(|(class, _)| *class == name);
            let (_, class) = class.ok_or_else(|| invalid("invalid character class"))?;
            Ok((Item::Class(class), behind))
        }
        ('[', Some(mark @ ('.' | '='))) => {
            let end = format!("{mark}]");
            let (name, behind) = behind[1..].split_once(&end).ok_or_else(unbalanced)?;
            Ok((Item::One(element(name)?), behind))
        }
        ('\\', Some(letter)) => match class_of(letter) {
            Some(class) => Ok((Item::Class(class), &behind[1..])),
            None => character(behind).map(|(c, behind)| (Item::One(c), behind)),
        },
        ('\\', None) => Err(bad_escape()),
        _ => Ok((Item::One(c), behind)),
    }
}

fn element(name: &str) -> Result<char, SqlError> {
    let mut characters = name.chars();
    if let (Some(one), None) = (characters.next(), characters.next()) {
        return Ok(one);
    }
    let found = ELEMENTS.iter().find(|(element, _)| *element == name);
    found.map(|(_, c)| *c).ok_or_else(|| invalid("invalid collating element"))
}

/// The character that an escape stands for, without its backslash, and what is behind it.
pub(crate) fn character(text: &str) -> Result<(char, &str), SqlError> {
    let c = text.chars().next().ok_or_else(bad_escape)?;
    let behind = &text[c.len_utf8()..];
    let plain = match c {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'B' => '\\',
        'e' => '\u{1b}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        'c' => {
            let control = behind.chars().next().ok_or_else(bad_escape)?;
            let code = u8::try_from(u32::from(control) & 0x1F).unwrap_or(0);
            return Ok((char::from(code), &behind[control.len_utf8()..]));
        }
        'u' => return number(behind, 16, 4, 4),
        'U' => return number(behind, 16, 8, 8),
        'x' => return number(behind, 16, 1, 255),
        '0'..='7' => return number(text, 8, 1, 3),
        c if c.is_alphanumeric() => return Err(bad_escape()),
        c => c,
    };
    Ok((plain, behind))
}

/// A character by its number: from so many to so many digits.
fn number(text: &str, base: u32, least: usize, most: usize) -> Result<(char, &str), SqlError> {
    let digits = text.chars().take(most).take_while(|c| c.is_digit(base)).count();
    if digits < least {
        return Err(bad_escape());
    }
    let code = u32::from_str_radix(&text[..digits], base).ok();
    let c = code.and_then(char::from_u32).ok_or_else(bad_escape)?;
    Ok((c, &text[digits..]))
}
