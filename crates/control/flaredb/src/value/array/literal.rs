//! PostgreSQL's text form of arrays: `{1,NULL,"a b"}`.

use super::{Array, Item, MOST_DIMENSIONS};
use crate::base::error::{SqlError, SqlState};
use crate::base::settings::Settings;
use crate::base::types::{Element, Type};
use crate::value::numeric::parse::is_blank;
use crate::value::time::Clock;
use crate::value::{from_text, to_text};
use rusqlite::types::ValueRef;

/// Writes the text of a kept array.
pub(crate) fn write(
    kept: &str,
    element: Element,
    settings: &Settings,
    out: &mut Vec<u8>,
) -> Result<(), SqlError> {
    let array = Array::read(kept)?;
    if array.items.is_empty() {
        out.extend(b"{}");
        return Ok(());
    }
    let depth = array.dimensions.len();
    for place in 0..array.items.len() {
        let opened = array.boundaries(place);
        if place > 0 {
            out.extend((0..opened).map(|_| b'}'));
            out.push(b',');
        }
        out.extend((0..if place == 0 { depth } else { opened }).map(|_| b'{'));
        if let Some(item) = array.items.get(place) {
            write_item(item, element, settings, out)?;
        }
    }
    out.extend((0..depth).map(|_| b'}'));
    Ok(())
}

/// Writes an element's own text.
pub(crate) fn write_plain(
    item: &Item<'_>,
    element: Element,
    settings: &Settings,
    out: &mut Vec<u8>,
) -> Result<(), SqlError> {
    let ty = Type::Scalar(element);
    match item {
        Item::Text(text) if !matches!(element, Element::Bytea | Element::Float4 | Element::Float8) => {
            to_text(ty, ValueRef::Text(text.as_bytes()), settings, out)
        }
        item => to_text(ty, (&item.clone().into_value(element)?).into(), settings, out),
    }
}

fn write_item(
    item: &Item<'_>,
    element: Element,
    settings: &Settings,
    out: &mut Vec<u8>,
) -> Result<(), SqlError> {
    if item.is_null() {
        out.extend(b"NULL");
        return Ok(());
    }
    let from = out.len();
    write_plain(item, element, settings, out)?;
    let written = out.get(from..).unwrap_or_default();
    if needs_quotes(written) {
        let written = out.split_off(from);
        out.push(b'"');
        for byte in written {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.push(b'"');
    }
    Ok(())
}

fn needs_quotes(text: &[u8]) -> bool {
    let special =
        |byte: &u8| matches!(byte, b'"' | b'\\' | b'{' | b'}' | b',') || is_blank(char::from(*byte));
    text.is_empty() || text.eq_ignore_ascii_case(b"null") || text.iter().any(special)
}

/// Reads the text of an array of elements. Errors: 22P02, and those of the elements' input.
pub(crate) fn read(text: &str, element: Element, clock: &Clock<'_>) -> Result<Array<'static>, SqlError> {
    let body = text.trim_start_matches(is_blank);
    let (declared, body) = bounds(text, body)?;
    if !body.starts_with('{') {
        return Err(malformed(text, "Array value must start with \"{\" or dimension information."));
    }
    let mut reader = Reader {
        text,
        rest: body,
        element,
        clock,
        dimensions: Vec::new(),
        counts: Vec::new(),
        items: Vec::new(),
        deepest: 0,
    };
    reader.run()?;
    if !reader.rest.trim_start_matches(is_blank).is_empty() {
        return Err(malformed(text, "Junk after closing right brace."));
    }
    let dimensions: Vec<usize> = reader.dimensions.iter().map(|length| length.unwrap_or(0)).collect();
    if declared.is_some_and(|declared| declared != dimensions) {
        return Err(malformed(text, "Specified array dimensions do not match array contents."));
    }
    if reader.items.is_empty() { Ok(Array::default()) } else { Ok(Array { dimensions, items: reader.items }) }
}

/// `malformed array literal: "…"`.
fn malformed(text: &str, detail: &str) -> SqlError {
    let message = format!("malformed array literal: \"{text}\"");
    SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message).with_detail(detail)
}

/// The lengths that `[1:3]=` declares, and what stands behind. Bounds that do not begin at 1 are not kept, and so
/// are refused.
fn bounds<'a>(text: &str, body: &'a str) -> Result<(Option<Vec<usize>>, &'a str), SqlError> {
    if !body.starts_with('[') {
        return Ok((None, body));
    }
    let Some((bounds, body)) = body.split_once('=') else {
        return Err(malformed(text, "Missing \"=\" after array dimensions."));
    };
    let mut lengths = Vec::new();
    for bound in bounds.trim_matches(is_blank).trim_matches(['[', ']']).split("][") {
        let (from, to) = bound.split_once(':').unwrap_or(("1", bound));
        let (Ok(from), Ok(to)) = (from.trim().parse::<i32>(), to.trim().parse::<i32>()) else {
            return Err(malformed(text, "\"[\" must introduce explicitly-specified array dimensions."));
        };
        if from != 1 {
            return Err(SqlError::unsupported("an array whose subscripts do not begin at 1"));
        }
        lengths.push(usize::try_from(to).unwrap_or(0));
    }
    Ok((Some(lengths), body.trim_start_matches(is_blank)))
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    element: Element,
    clock: &'a Clock<'a>,
    /// The length of each dimension, once its first part is read.
    dimensions: Vec<Option<usize>>,
    /// How many parts the open braces hold so far.
    counts: Vec<usize>,
    items: Vec<Item<'static>>,
    /// How deep elements lie; 0: none was read.
    deepest: usize,
}

impl Reader<'_> {
    fn wrong(&self, detail: &str) -> SqlError {
        malformed(self.text, detail)
    }

    fn run(&mut self) -> Result<(), SqlError> {
        // Whether a part may come next, or only what stands behind one.
        let mut wants_part = true;
        loop {
            self.rest = self.rest.trim_start_matches(is_blank);
            let next = self.rest.chars().next().ok_or_else(|| self.wrong("Unexpected end of input."))?;
            match next {
                '{' if wants_part => self.open()?,
                '}' if !wants_part || self.is_new() => {
                    self.close()?;
                    wants_part = false;
                    if self.counts.is_empty() {
                        return Ok(());
                    }
                }
                ',' if !wants_part => {
                    self.skip(1);
                    wants_part = true;
                }
                '{' | '}' | ',' => return Err(self.wrong(&format!("Unexpected \"{next}\" character."))),
                _ if wants_part => {
                    self.item()?;
                    wants_part = false;
                }
                _ => return Err(self.wrong("Unexpected array element.")),
            }
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or("");
    }

    /// An empty pair of braces may only be the whole.
    fn is_new(&self) -> bool {
        self.counts.as_slice() == [0] && self.items.is_empty()
    }

    fn open(&mut self) -> Result<(), SqlError> {
        self.skip(1);
        if let Some(count) = self.counts.last_mut() {
            *count += 1;
        }
        self.counts.push(0);
        if self.counts.len() > MOST_DIMENSIONS {
            let message =
                format!("number of array dimensions ({}) exceeds the maximum allowed (6)", self.counts.len());
            return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        if self.deepest > 0 && self.counts.len() > self.deepest {
            return Err(self.wrong("Unexpected \"{\" character."));
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), SqlError> {
        self.skip(1);
        let level = self.counts.len();
        let count = self.counts.pop().unwrap_or(0);
        self.dimensions.resize(self.dimensions.len().max(level), None);
        let Some(dimension) = self.dimensions.get_mut(level - 1) else { return Ok(()) };
        if dimension.is_some_and(|length| length != count) {
            return Err(self.wrong(UNEVEN));
        }
        *dimension = Some(count);
        Ok(())
    }

    fn item(&mut self) -> Result<(), SqlError> {
        let level = self.counts.len();
        if self.deepest > 0 && self.deepest != level {
            return Err(self.wrong("Unexpected array element."));
        }
        self.deepest = level;
        if let Some(count) = self.counts.last_mut() {
            *count += 1;
        }
        let (text, quoted) = self.word()?;
        let item = if !quoted && text.eq_ignore_ascii_case("null") {
            Item::Null
        } else {
            Item::from_value(from_text(Type::Scalar(self.element), &text, self.clock)?)
        };
        self.items.push(item);
        Ok(())
    }

    /// An element's text, and whether something in it was quoted.
    fn word(&mut self) -> Result<(String, bool), SqlError> {
        let (mut word, mut quoted, mut kept, mut inside) = (String::new(), false, 0, false);
        let mut characters = self.rest.char_indices();
        let mut end = self.rest.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => {
                    let (_, escaped) =
                        characters.next().ok_or_else(|| malformed(self.text, "Unexpected end of input."))?;
                    word.push(escaped);
                    (quoted, kept) = (true, word.len());
                }
                '"' if inside => (inside, kept) = (false, word.len()),
                '"' if quoted || !word.trim_end_matches(is_blank).is_empty() => {
                    return Err(self.wrong("Unexpected array element."));
                }
                '"' => (inside, quoted) = (true, true),
                '{' | '}' | ',' if !inside => {
                    if character == '{' {
                        return Err(self.wrong("Unexpected \"{\" character."));
                    }
                    end = at;
                    break;
                }
                other
                    if quoted
                        && !inside
                        && !is_blank(other)
                        && kept == word.trim_end_matches(is_blank).len()
                        && self.rest.starts_with('"') =>
                {
                    return Err(self.wrong("Unexpected array element."));
                }
                other => word.push(other),
            }
        }
        if end == self.rest.len() {
            return Err(self.wrong("Unexpected end of input."));
        }
        self.skip(end);
        let bare = word.trim_end_matches(is_blank).len();
        word.truncate(bare.max(kept));
        Ok((word, quoted))
    }
}

const UNEVEN: &str = "Multidimensional arrays must have sub-arrays with matching dimensions.";
